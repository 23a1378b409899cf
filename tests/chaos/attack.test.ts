import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { sharedServer } from "../conformance/subject.ts";
import { describeLatencies, GoodPairs, type Latencies } from "./good-pairs.ts";
import { startLoadProcess } from "./load-process.ts";

const SECONDS = Number(process.env.ATTACK_SECONDS ?? 2);
const PATIENCE_MS = 60_000;
/** Rate limit of a connection in messages a second: ten times the rate of each good client. */
const RATE = "100";

const ATTACKS: readonly (readonly [name: string, title: string])[] = [
  ["handshakes", "invalid handshakes"],
  ["fragments", "messages in fragments of one byte or none"],
  ["flood", "messages far over the rate limit"],
];

describe.each(runtimes)("an attack on the relay on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_RATE: RATE, RELAY_RATE_BURST: "200" } });
  let pairs: GoodPairs;
  let calm: Latencies;

  beforeAll(
    async () => {
      pairs = await GoodPairs.open(server());
      calm = await pairs.talk(SECONDS);
    },
    SECONDS * 1000 + PATIENCE_MS,
  );
  afterAll(() => pairs.reset());

  test.each(ATTACKS)(
    `by %s for ${SECONDS} s (%s) costs other clients no message and no connection`,
    { timeout: SECONDS * 1000 + PATIENCE_MS },
    async (name, title) => {
      const attacker = await startLoadProcess("attacker.ts", server().port, name);
      const attacked = await pairs.talk(SECONDS);
      const counts = await attacker.stop();
      console.log(
        `${title}, on ${runtime.name}: ${describeLatencies(attacked)}; without ${describeLatencies(calm)}; ${counts}`,
      );
      expect(pairs.gone).toBe(0);
      await server().relayOne();
    },
  );
});
