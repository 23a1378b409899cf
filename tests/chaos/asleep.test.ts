import { connect } from "hono-relay/client";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { Program } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";
import { PATIENCE_MS } from "../conformance/wait.ts";

const RELAY: Program = { command: [process.execPath, "dist/node.js"] };
const HEARTBEAT_MS = 1000;

/** Blocks this thread with its timers and its sockets, as if the machine slept. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("a client that slept reads what has arrived meanwhile before it gives up its connection", async () => {
  const env = { RELAY_HEARTBEAT_MS: String(HEARTBEAT_MS), RELAY_HEARTBEAT_MISSES: "100" };
  const server = await ownServer(RELAY, { env });
  const sleeper = connect<string>(server.url("/ws"), { WebSocket });
  onTestFinished(() => sleeper.close());
  const events: unknown[] = [];
  sleeper.on("disconnected", ({ reason }) => events.push(reason));
  sleeper.on("message", ({ data }) => events.push(data));
  await sleeper.ready;
  const other = await server.open("/ws", ["relay.v1.json"]);

  other.send(JSON.stringify({ type: "send", to: sleeper.id, data: "meanwhile" }));
  sleep(3 * HEARTBEAT_MS);
  await expect.poll(() => events, { timeout: PATIENCE_MS }).not.toEqual([]);
  expect(events).toEqual(["meanwhile"]);
});
