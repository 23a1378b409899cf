import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeClient, FakeConnection, type Left, startRelay } from "../fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function openEcho() {
  const events: string[] = [];
  const left: Left[] = [];
  const observer = {
    connected: (id: string) => events.push(`connected ${id}`),
    received: (id: string) => events.push(`received ${id}`),
    sent: (id: string) => events.push(`sent ${id}`),
    beat: (id: string) => events.push(`beat ${id}`),
    left: (id: string, ending: Left["ending"]) => left.push({ id, ending }),
  };
  const { relay, turn, connect } = startRelay({ observer });
  const connection = new FakeConnection();
  return { relay, connect, events, left, client: new FakeClient(connection, relay.openEcho(connection), turn) };
}

test("a text comes back to its sender behind res:", () => {
  const { client } = openEcho();
  client.says("您好啊");
  client.says("");
  expect(client.heard).toEqual(["res:您好啊", "res:"]);
  expect(client.connection.frames.map(({ binary }) => binary)).toEqual([false, false]);
});

test("bytes come back as bytes behind the same prefix", () => {
  const { client } = openEcho();
  client.says(new Uint8Array([0, 255, 10]));
  expect(client.connection.frames).toMatchObject([
    { binary: true, payload: new Uint8Array([0x72, 0x65, 0x73, 0x3a, 0, 255, 10]) },
  ]);
});

test("an echo takes no id and is no session", () => {
  const { relay, client, connect } = openEcho();
  expect(relay.holdings.sessions).toBe(0);
  const first = connect();
  first.says("1:to myself");
  client.says("1:not to the first");
  expect(first.heard).toEqual(["to myself"]);
});

test("an echo is monitored and observed like any connection", () => {
  const { client, events, left } = openEcho();
  client.says("hi");
  client.link.onPong();
  expect(events).toEqual(["connected echo", "received echo", "sent echo", "beat echo"]);
  client.leaves();
  expect(left).toEqual([{ id: "echo", ending: { by: "client", code: 1000, reason: "", mayReturn: false } }]);
});

test("a silent echo is dropped after its misses", () => {
  const { client, left } = openEcho();
  vi.advanceTimersByTime(20_000);
  expect(client.did.at(-1)).toBe("terminate");
  expect(left).toMatchObject([{ ending: { by: "heartbeat", reason: "3 beats missed" } }]);
});
