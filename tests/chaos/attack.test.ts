import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { sharedServer } from "../conformance/subject.ts";
import { startAccomplice } from "./accomplice.ts";
import { describeLatencies, GoodPairs, type Latencies } from "./good-pairs.ts";

const SECONDS = Number(process.env.ATTACK_SECONDS ?? 2);
const PATIENCE_MS = 60_000;
/** Messages a second and connection: ten times what each of the good ones sends. */
const RATE = "100";

const ATTACKS: readonly (readonly [name: string, title: string])[] = [
  ["handshakes", "handshakes that nobody may accept"],
  ["fragments", "messages in fragments of a byte or none"],
  ["flood", "messages far over the rate limit"],
];

describe.each(runtimes)("under attack on $name", (runtime) => {
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
  afterAll(() => pairs.end());

  test.each(ATTACKS)(
    `by %s for ${SECONDS} s (%s), no message of the others is lost and none of them is closed`,
    { timeout: SECONDS * 1000 + PATIENCE_MS },
    async (name, title) => {
      const attacker = await startAccomplice("attacker.ts", server().port, name);
      const attacked = await pairs.talk(SECONDS);
      const counts = await attacker.stop();
      console.log(
        `${title}, on ${runtime.name}: ${describeLatencies(attacked)}; in calm ${describeLatencies(calm)}; ${counts}`,
      );
      expect(pairs.gone).toBe(0);
      await server().relayOne();
    },
  );
});
