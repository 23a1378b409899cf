import { describe, expect, onTestFinished, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";
import { startAccomplice } from "./accomplice.ts";
import { describeLatencies, GoodPairs } from "./good-pairs.ts";
import { chooseSeed } from "./random.ts";

const SECONDS = Number(process.env.BUFFER_SECONDS ?? 5);
const RECEIVERS = Number(process.env.BUFFER_RECEIVERS ?? 2000);
const SENDERS = 100;
const MAX_BYTES = Number(process.env.BUFFER_BYTES ?? 268_435_456);
/** What the process may take for everything else: itself, 2,000 connections, and what 100 flooding senders leave for the collector. */
const BESIDES_BYTES = 150_000_000;
/** The same where the runtime's own buffers grow with what comes. Measured: 1.1 to 2.0 GB. */
const BESIDES_FLOOD_BYTES = 2_500_000_000;
const SAMPLE_MS = 100;
const PATIENCE_MS = 90_000;

describe.each(runtimes)("sent more than anybody reads, on $name", (runtime) => {
  test(`for ${SECONDS} s, by ${SENDERS} to ${RECEIVERS}, the process stays within its buffers, and others lose nothing`, {
    timeout: SECONDS * 1000 + PATIENCE_MS,
  }, async () => {
    const server = await ownServer(runtime, {
      // Nobody is closed meanwhile for what waits for them: it is the bound of all buffers together that must hold.
      env: { RELAY_HEARTBEAT_MS: "60000", RELAY_MAX_TOTAL_BUFFERED_BYTES: String(MAX_BYTES), RELAY_LOG: "warning" },
    });
    const seed = chooseSeed(process.env.CHAOS_SEED);
    let peakBytes = 0;
    const sampling = setInterval(() => {
      peakBytes = Math.max(peakBytes, server.process.rssBytes);
    }, SAMPLE_MS);
    onTestFinished(() => clearInterval(sampling));

    const pairs = await GoodPairs.open(server);
    onTestFinished(() => pairs.end());
    const { id: lastId } = await server.connect();
    const crowd = await startAccomplice("unread.ts", server.port, Number(lastId) + 1, RECEIVERS, SENDERS, seed);
    const before = Math.round(server.process.rssBytes / 1e6);
    const latencies = await pairs.talk(SECONDS);
    clearInterval(sampling);
    const counts = await crowd.stop();

    expect(pairs.gone).toBe(0);
    await server.relayOne();
    const peak = Math.round(peakBytes / 1e6);
    console.log(
      `on ${runtime.name}: ${before} MB before, peak ${peak} MB, ${describeLatencies(latencies)}, ${counts}, seed ${seed}`,
    );
    const buffersFloods = runtime.exceptions.buffersFloods !== undefined;
    expect(peakBytes).toBeLessThan(MAX_BYTES + (buffersFloods ? BESIDES_FLOOD_BYTES : BESIDES_BYTES));
  });
});
