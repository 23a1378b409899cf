import type { Client } from "../generator/client.ts";
import { sleep, untilNone } from "../generator/pace.ts";
import { type Load, MESSAGE_COLUMNS } from "./load.ts";

const SENDERS = 1000;
/** Each sender's messages under way: with one, the load is bound by the reads of 1,000 sockets on either side. */
const IN_FLIGHT = 8;
const MESSAGE = "x".repeat(64);
const WARM_UP_SECONDS = 2;

/**
 * All send to one. What the receiver has got paces the senders: for every eight messages that arrive the next sender, in turn,
 * sends eight. So at most 8,000 messages (600 KB) are under way, less than any server here refuses or drops.
 */
export const fanIn: Load = {
  name: "d",
  title: "1,000 clients all sending to one, 8 messages in flight each, 64 B",
  columns: MESSAGE_COLUMNS,
  async prepare(crowd) {
    const [receiver, ...senders] = await crowd.open(SENDERS + 1);
    if (receiver === undefined) throw new Error("No client was opened");
    // Whom the receiver aims at does not matter: it never sends.
    receiver.aim({ to: 1, from: 1, message: MESSAGE, most: 1 });
    for (const sender of senders) sender.aim({ to: 0, from: 0, message: MESSAGE, most: IN_FLIGHT });

    let running = false;
    let received = 0;
    let owed = 0;
    /** Messages that arrived and that nobody has followed up. */
    let free = 0;
    let next = 0;
    receiver.onMessages = (_client: Client, messages: number): void => {
      received += messages;
      if (!running) {
        owed -= messages;
        return;
      }
      for (free += messages; free >= IN_FLIGHT; free -= IN_FLIGHT) {
        senders[next]?.send(IN_FLIGHT);
        next = next + 1 === SENDERS ? 0 : next + 1;
      }
    };

    const play = async (seconds: number) => {
      running = true;
      owed = SENDERS * IN_FLIGHT;
      free = 0;
      for (const sender of senders) sender.send(IN_FLIGHT);
      await sleep(200);
      received = 0;
      const stop = crowd.measure();
      await sleep(seconds * 1000);
      const figures = stop(received);
      running = false;
      // What has arrived and was not followed up is no longer under way.
      owed -= free;
      await untilNone(() => owed, "messages");
      return figures;
    };
    await play(WARM_UP_SECONDS);
    return { round: ({ seconds }) => play(seconds) };
  },
};
