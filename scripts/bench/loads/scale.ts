import { Pacer } from "../generator/pace.ts";
import { type Load, PACED_COLUMNS } from "./load.ts";

/** Same rate for every subject and count of connections; each of these servers can relay it on one core. */
const MESSAGES_PER_SECOND = 20_000;
const MESSAGE_BYTES = 64;
const WARM_UP_SECONDS = 3;

/** Measures the cost of a message when the same traffic comes from more connections. */
function scale(name: string, connections: number): Load {
  return {
    name,
    title: `20,000 messages/s over ${connections.toLocaleString("en")} clients in pairs, each in its turn, 64 B`,
    columns: PACED_COLUMNS,
    needsFiles: connections >= 10_000,
    async prepare(crowd) {
      const pacer = new Pacer(await crowd.open(connections), MESSAGE_BYTES, crowd.activity);
      await pacer.run({ rate: MESSAGES_PER_SECOND, seconds: WARM_UP_SECONDS });
      await pacer.settle();
      return {
        async round({ seconds }) {
          await pacer.run({ rate: MESSAGES_PER_SECOND, seconds: 0.5 });
          const stop = crowd.measure();
          const { latencies } = await pacer.run({ rate: MESSAGES_PER_SECOND, seconds });
          const figures = stop(latencies.length);
          await pacer.settle();
          return figures;
        },
      };
    },
  };
}

export const scale100 = scale("g-100", 100);
export const scale1000 = scale("g-1000", 1000);
export const scale10000 = scale("g-10000", 10_000);
