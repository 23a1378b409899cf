import type { Client } from "../generator/client.ts";
import { sleep, untilNone } from "../generator/pace.ts";
import { type Load, MESSAGE_COLUMNS } from "./load.ts";

const MEMBERS = 1000;
const IN_FLIGHT = 4;
const MESSAGE = "x".repeat(64);
const WARM_UP_SECONDS = 2;

const TITLES: Readonly<Record<string, string>> = {
  messagesPerSecond: "deliveries/s",
  serverCpuUs: "CPU µs/delivery",
};

/** One publishes, all others get it. When the last member has got the oldest of four, the next is published. */
export const publish: Load = {
  name: "i",
  title: "One client publishing to a room of 1,000 others, 4 publishes in flight, 64 B",
  columns: MESSAGE_COLUMNS.map((column) => ({ ...column, title: TITLES[column.figure] ?? column.title })),
  // The plain protocol has no rooms; PeerJS has none either.
  dialects: { plain: "text", json: "json", bare: "bare", "socket.io": "socket.io" },
  async prepare(crowd) {
    const clients = await crowd.open(MEMBERS + 1);
    const [publisher, ...members] = clients;
    if (publisher === undefined) throw new Error("No client was opened");
    await crowd.join(clients);
    publisher.aimAtRoom({ message: MESSAGE, most: IN_FLIGHT, recipients: MEMBERS });
    for (const member of members) member.listenToRoom({ from: publisher.index, message: MESSAGE });

    let running = false;
    let deliveries = 0;
    let owed = 0;
    /** What each client has got, all told; and of each publish under way, how many have got it. */
    const got = new Uint32Array(clients.length);
    const arrived = new Uint32Array(IN_FLIGHT);
    const go = (publishes: number): void => {
      owed += publishes * MEMBERS;
      publisher.send(publishes);
    };
    const onMessages = ({ index }: Client, messages: number): void => {
      deliveries += messages;
      owed -= messages;
      const before = got[index] ?? 0;
      got[index] = before + messages;
      let complete = 0;
      for (let i = before; i < before + messages; i++) {
        const reached = (arrived[i % IN_FLIGHT] ?? 0) + 1;
        arrived[i % IN_FLIGHT] = reached % MEMBERS;
        if (reached === MEMBERS) complete++;
      }
      if (complete > 0 && running) go(complete);
    };
    for (const member of members) member.onMessages = onMessages;

    const play = async (seconds: number) => {
      running = true;
      go(IN_FLIGHT);
      await sleep(200);
      deliveries = 0;
      const stop = crowd.measure();
      await sleep(seconds * 1000);
      const figures = stop(deliveries);
      running = false;
      await untilNone(() => owed, "deliveries");
      await untilNone(() => publisher.unacked, "acks");
      return figures;
    };
    await play(WARM_UP_SECONDS);
    return { round: ({ seconds }) => play(seconds) };
  },
};
