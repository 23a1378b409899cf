import { sleep } from "../generator/pace.ts";
import { memoryOf } from "../usage.ts";
import type { Load } from "./load.ts";

const CONNECTIONS = 10_000;
const WARM_UP_CONNECTIONS = 300;

/** Measures the cost of a connection that sends pongs only. The server has served 300 other connections before. */
export const idle: Load = {
  name: "e",
  title: "10,000 idle connections that answer the heartbeat",
  columns: [
    { figure: "kibPerConnection", title: "KiB/connection", digits: 2, compared: true },
    { figure: "pssKibPerConnection", title: "by PSS", digits: 2 },
    { figure: "rssMib", title: "RSS MiB", compared: true },
    { figure: "idleCpu", title: "idle CPU %", digits: 2, compared: true },
    { figure: "connectsPerSecond", title: "connects/s", compared: true },
    { figure: "connectCpuUs", title: "CPU µs/connect", digits: 1 },
    { figure: "othersBusy", title: "others %" },
  ],
  // Three beats of 5 s, and two of the 7.5 s at which Deno.serve pings by itself.
  seconds: 15,
  maxRounds: 3,
  freshServer: true,
  needsFiles: true,
  async prepare(crowd) {
    await crowd.openIdle(WARM_UP_CONNECTIONS);
    crowd.end();
    await sleep(1000);
    return {
      async round({ seconds }) {
        const before = memoryOf(crowd.pid);
        const stopConnecting = crowd.measure();
        const connectsPerSecond = await crowd.openIdle(CONNECTIONS);
        const { serverCpuUs = Number.NaN } = stopConnecting(CONNECTIONS);
        // One beat, so that every connection has been pinged once before the idle time starts.
        await sleep(5000);
        const stop = crowd.measure();
        await sleep(seconds * 1000);
        const { serverBusy = Number.NaN, othersBusy = Number.NaN } = stop(0);
        const after = memoryOf(crowd.pid);
        return {
          kibPerConnection: (after.rssKib - before.rssKib) / CONNECTIONS,
          pssKibPerConnection: (after.pssKib - before.pssKib) / CONNECTIONS,
          rssMib: after.rssKib / 1024,
          idleCpu: serverBusy,
          othersBusy,
          connectsPerSecond,
          connectCpuUs: serverCpuUs,
        };
      },
    };
  },
};
