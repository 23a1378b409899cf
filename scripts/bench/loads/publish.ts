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

/** Makes one client publish to 1,000 others. It publishes again when all of them have the oldest of four publishes. */
export const publish: Load = {
  name: "i",
  title: "One client publishing to a room of 1,000 others, 4 publishes in flight, 64 B",
  columns: MESSAGE_COLUMNS.map((column) => ({ ...column, title: TITLES[column.figure] ?? column.title })),
  // The plain protocol has no rooms; PeerJS has none either.
  dialects: { plain: "text", json: "json", bare: "bare", "socket.io": "socket.io" },
  async prepare(crowd) {
    const clients = await crowd.open(MEMBERS + 1);
    const [publisher, ...members] = clients;
    if (publisher === undefined) throw new Error("Cannot run the load: no client was opened");
    await crowd.join(clients);
    publisher.aimAtRoom({ message: MESSAGE, maxInWrite: IN_FLIGHT, recipients: MEMBERS });
    for (const member of members) member.listenToRoom({ from: publisher.index, message: MESSAGE });

    let running = false;
    let deliveries = 0;
    /** Deliveries in flight. */
    let outstanding = 0;
    /** Count of deliveries to each client. */
    const deliveredTo = new Uint32Array(clients.length);
    /** Count of deliveries of each publish in flight. */
    const deliveriesOf = new Uint32Array(IN_FLIGHT);
    const publishMore = (publishes: number): void => {
      outstanding += publishes * MEMBERS;
      publisher.send(publishes);
    };
    const onMessages = ({ index }: Client, messages: number): void => {
      deliveries += messages;
      outstanding -= messages;
      const before = deliveredTo[index] ?? 0;
      deliveredTo[index] = before + messages;
      let completed = 0;
      for (let i = before; i < before + messages; i++) {
        const count = (deliveriesOf[i % IN_FLIGHT] ?? 0) + 1;
        deliveriesOf[i % IN_FLIGHT] = count % MEMBERS;
        if (count === MEMBERS) completed++;
      }
      if (completed > 0 && running) publishMore(completed);
    };
    for (const member of members) member.onMessages = onMessages;

    const run = async (seconds: number) => {
      running = true;
      publishMore(IN_FLIGHT);
      await sleep(200);
      deliveries = 0;
      const stop = crowd.measure();
      await sleep(seconds * 1000);
      const figures = stop(deliveries);
      running = false;
      await untilNone(() => outstanding, "deliveries");
      await untilNone(() => publisher.unacked, "acks");
      return figures;
    };
    await run(WARM_UP_SECONDS);
    return { round: ({ seconds }) => run(seconds) };
  },
};
