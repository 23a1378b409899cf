import { setTimeout as after } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";
import { Fleet } from "./fleet.ts";
import { NetworkFaults } from "./network-faults.ts";
import { openProxy } from "./proxy.ts";
import { chooseSeed, Random } from "./random.ts";

const CLIENTS = 20;
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 5);
const SETTLE_MS = 90_000;

describe.each(runtimes)("the relay behind a network with random faults, on $name", (runtime) => {
  test(`loses, repeats and reorders no acknowledged message, in ${SECONDS} s`, {
    timeout: SECONDS * 1000 + SETTLE_MS,
  }, async () => {
    const server = await ownServer(runtime, { env: { RELAY_HEARTBEAT_MS: "500", RELAY_RESUME_MS: "120000" } });
    const seed = chooseSeed(process.env.CHAOS_SEED);
    const faults = new NetworkFaults(new Random(seed));
    const proxy = await openProxy(server.port, (wire) => faults.schedule(wire));
    const fleet = new Fleet(proxy.port, CLIENTS, new Random(seed + 1));
    onTestFinished(() => {
      fleet.close();
      proxy.close();
    });
    await fleet.ready();

    fleet.startSending();
    await after(SECONDS * 1000);
    faults.stop();
    const failure = await fleet.settle().catch((error: Error) => error.message);

    console.log(`chaos on ${runtime.name}: seed ${seed}, ${fleet.ledger}`);
    expect([...fleet.ledger.problems(), failure].slice(0, 20)).toEqual([undefined]);
    expect(fleet.ledger.resumes).toBeGreaterThan(SECONDS);
    server.process.expectAlive();
  });
});
