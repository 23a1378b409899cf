import { setTimeout as after } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";
import { Fleet } from "./fleet.ts";
import { Misfortune } from "./misfortune.ts";
import { openProxy } from "./proxy.ts";
import { chooseSeed, Random } from "./random.ts";

const CLIENTS = 20;
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 5);
const SETTLE_MS = 90_000;

describe.each(runtimes)("behind a proxy that misbehaves, on $name", (runtime) => {
  test(`for ${SECONDS} s, whatever was acknowledged arrives, once and in order`, {
    timeout: SECONDS * 1000 + SETTLE_MS,
  }, async () => {
    const server = await ownServer(runtime, { env: { RELAY_HEARTBEAT_MS: "500", RELAY_RESUME_MS: "120000" } });
    const seed = chooseSeed(process.env.CHAOS_SEED);
    const misfortune = new Misfortune(new Random(seed));
    const proxy = await openProxy(server.port, (wire) => misfortune.await(wire));
    const fleet = new Fleet(proxy.port, CLIENTS, new Random(seed + 1));
    onTestFinished(() => {
      fleet.disband();
      proxy.close();
    });
    await fleet.ready();

    fleet.sail();
    await after(SECONDS * 1000);
    misfortune.end();
    const settled = await fleet.settle().catch((error: Error) => error.message);

    console.log(`chaos on ${runtime.name}: seed ${seed}, ${fleet.ledger}`);
    expect([...fleet.ledger.problems(), settled].slice(0, 20)).toEqual([undefined]);
    expect(fleet.ledger.resumes).toBeGreaterThan(SECONDS);
    server.process.expectAlive();
  });
});
