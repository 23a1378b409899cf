import type { Client } from "../generator/client.ts";
import { sleep, untilNone } from "../generator/pace.ts";
import { type Load, MESSAGE_COLUMNS } from "./load.ts";

const SENDERS = 1000;
/** Messages in flight of each sender. With one, reading 1,000 sockets would limit the server and the generator. */
const IN_FLIGHT = 8;
const MESSAGE = "x".repeat(64);
const WARM_UP_SECONDS = 2;

/**
 * Makes 1,000 clients send to one. For every eight messages that arrive, the next sender in turn sends eight. So at
 * most 8,000 messages (600 KB) are in flight, fewer than any of these servers refuses or drops.
 */
export const fanIn: Load = {
  name: "d",
  title: "1,000 clients all sending to one, 8 messages in flight each, 64 B",
  columns: MESSAGE_COLUMNS,
  async prepare(crowd) {
    const [receiver, ...senders] = await crowd.open(SENDERS + 1);
    if (receiver === undefined) throw new Error("Cannot run the load: no client was opened");
    // The receiver never sends, so that any recipient will do.
    receiver.aim({ to: 1, from: 1, message: MESSAGE, maxInWrite: 1 });
    for (const sender of senders) sender.aim({ to: 0, from: 0, message: MESSAGE, maxInWrite: IN_FLIGHT });

    let running = false;
    let received = 0;
    /** Messages in flight. Counts down after the run only. */
    let outstanding = 0;
    /** Messages that have arrived and not been replaced by new ones. */
    let unreplaced = 0;
    let next = 0;
    receiver.onMessages = (_client: Client, messages: number): void => {
      received += messages;
      if (!running) {
        outstanding -= messages;
        return;
      }
      for (unreplaced += messages; unreplaced >= IN_FLIGHT; unreplaced -= IN_FLIGHT) {
        senders[next]?.send(IN_FLIGHT);
        next = next + 1 === SENDERS ? 0 : next + 1;
      }
    };

    const run = async (seconds: number) => {
      running = true;
      outstanding = SENDERS * IN_FLIGHT;
      unreplaced = 0;
      for (const sender of senders) sender.send(IN_FLIGHT);
      await sleep(200);
      received = 0;
      const stop = crowd.measure();
      await sleep(seconds * 1000);
      const figures = stop(received);
      running = false;
      // Messages that were not replaced are no longer in flight.
      outstanding -= unreplaced;
      await untilNone(() => outstanding, "messages");
      return figures;
    };
    await run(WARM_UP_SECONDS);
    return { round: ({ seconds }) => run(seconds) };
  },
};
