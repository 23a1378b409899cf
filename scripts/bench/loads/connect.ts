import { sleep, untilNone } from "../generator/pace.ts";
import type { Load } from "./load.ts";

/** Fewer than the 511 connections that may wait for Node to accept them. */
export const CONCURRENT = 256;
const WARM_UP_SECONDS = 3;

/**
 * Measures the cost of a connect: TCP, handshake, and the welcome where the server sends one.
 *
 * The clients drop the connection by a reset, which leaves no port in TIME_WAIT. A session of `relay.v1.json` is away
 * then, as after a failure of the network.
 */
export const connect: Load = {
  name: "connect",
  title: `${CONCURRENT} clients at a time that connect, and drop the connection when the server accepts messages`,
  columns: [
    { figure: "messagesPerSecond", title: "connects/s", compared: true },
    { figure: "serverCpuUs", title: "CPU µs/connect", digits: 1, compared: true },
    { figure: "serverBusy", title: "server busy %" },
    { figure: "generatorBusy", title: "generator busy %" },
    { figure: "othersBusy", title: "others %" },
    { figure: "rssMib", title: "RSS MiB" },
  ],
  async prepare(crowd) {
    const run = async (seconds: number) => {
      let running = true;
      let connects = 0;
      let connecting = CONCURRENT;
      const worker = async (): Promise<void> => {
        while (running) {
          await crowd.openAndDrop();
          connects++;
        }
        connecting--;
      };
      for (let i = 0; i < CONCURRENT; i++) void worker();
      await sleep(200);
      connects = 0;
      const stop = crowd.measure();
      await sleep(seconds * 1000);
      const figures = stop(connects);
      running = false;
      await untilNone(() => connecting, "clients");
      return figures;
    };
    await run(WARM_UP_SECONDS);
    return { round: ({ seconds }) => run(seconds) };
  },
};
