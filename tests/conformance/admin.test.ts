import { describe, expect, test } from "vitest";
import { connectJson, JSON_PROTOCOL } from "./json-client.ts";
import { freePort } from "./proc.ts";
import { runtimes } from "./runtimes.ts";
import { ownServer, sharedServer } from "./subject.ts";

const KEY = "k".repeat(32);

describe.each(runtimes)("the admin API on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_API_KEY: `${KEY},${"n".repeat(32)}` } });

  async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers = { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" };
    const response = await fetch(server().url(path), {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return response.json();
  }

  test("sends, publishes, lists and disconnects", async () => {
    const client = await connectJson(server());
    const { id } = client;
    expect(await ask("PUT", `/v1/rooms/lobby/members/${id}`)).toEqual({ outcome: "done" });
    expect(await client.next()).toMatchObject({ type: "presence", event: "joined", room: "lobby", id });
    expect(await ask("POST", `/v1/sessions/${id}/messages`, { data: { text: "hello" } })).toEqual({
      outcome: "delivered",
    });
    expect(await client.next()).toMatchObject({ type: "message", data: { text: "hello" } });
    const published = await ask("POST", "/v1/rooms/lobby/messages", { data: "AAEC", encoding: "base64" });
    expect(published).toEqual({ outcome: "delivered", recipients: 1 });
    expect(await client.next()).toMatchObject({ type: "message", room: "lobby", data: "AAEC", encoding: "base64" });
    expect(await ask("GET", `/v1/sessions/${id}`)).toMatchObject({
      id,
      protocol: JSON_PROTOCOL,
      address: expect.stringContaining("127.0.0.1"),
      state: "online",
      rooms: ["lobby"],
      mailboxMessages: 2,
    });
    expect(await ask("GET", "/v1/sessions?room=lobby")).toMatchObject({ sessions: [{ id }] });
    expect(await ask("GET", "/v1/stats")).toMatchObject({ holdings: { rooms: 1 } });
    expect(await ask("POST", `/v1/sessions/${id}/disconnect`, { code: 4505, reason: "signed out" })).toEqual({
      outcome: "done",
    });
    expect(await client.untilClosed()).toMatchObject({ code: 4505, reason: "signed out" });
    expect(await ask("GET", `/v1/sessions/${id}`)).toMatchObject({ status: 404, code: "no_such_id" });
  });

  test("refuses who has no key, in the form of RFC 9457", async () => {
    const response = await fetch(server().url("/v1/sessions"));
    expect(response.status).toBe(401);
    expect(response.headers.get("Content-Type")).toBe("application/problem+json");
    expect(response.headers.get("WWW-Authenticate")).toContain("Bearer");
    expect(await response.json()).toMatchObject({ status: 401, code: "unauthorized" });
  });

  test("describes itself", async () => {
    expect(await (await fetch(server().url("/openapi.json"))).json()).toMatchObject({ openapi: "3.1.0" });
    expect((await fetch(server().url("/v1/docs"))).status).toBe(200);
  });

  test("is below RELAY_BASE_PATH", async () => {
    const below = await ownServer(runtime, { env: { RELAY_API_KEY: KEY, RELAY_BASE_PATH: "/relay" } });
    const headers = { Authorization: `Bearer ${KEY}` };
    expect((await fetch(below.url("/relay/v1/stats"), { headers })).status).toBe(200);
    expect((await fetch(below.url("/v1/stats"), { headers })).status).toBe(404);
  });

  test("comes with metrics, for the same key", async () => {
    expect((await fetch(server().url("/metrics"))).status).toBe(401);
    const response = await fetch(server().url("/metrics"), { headers: { Authorization: `Bearer ${KEY}` } });
    expect(response.headers.get("Content-Type")).toMatch(/^text\/plain; version=0.0.4/);
    const text = await response.text();
    expect(text).toMatch(/^hono_relay_connections \d+$/m);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds [\d.e-]+$/m);
  });

  test("has a port of its own with RELAY_ADMIN_PORT, where the metrics are open", async () => {
    const port = await freePort();
    const apart = await ownServer(runtime, { env: { RELAY_API_KEY: KEY, RELAY_ADMIN_PORT: String(port) } });
    const url = (path: string): string => `http://127.0.0.1:${port}${path}`;
    const headers = { Authorization: `Bearer ${KEY}` };
    expect((await fetch(url("/metrics"))).status).toBe(200);
    expect((await fetch(url("/v1/stats"))).status).toBe(401);
    expect((await fetch(url("/v1/stats"), { headers })).status).toBe(200);
    expect((await fetch(apart.url("/v1/stats"), { headers })).status).toBe(404);
    expect((await fetch(apart.url("/metrics"), { headers })).status).toBe(404);
    expect((await fetch(url("/readyz"))).status).toBe(404);
    await apart.relayOne();
  });

  test("is off without a key, and says so", async () => {
    const off = await ownServer(runtime);
    for (const path of ["/v1", "/v1/sessions", "/v1/docs", "/openapi.json"]) {
      const response = await fetch(off.url(path), { headers: { Authorization: `Bearer ${KEY}` } });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining("RELAY_API_KEY") });
    }
  });
});
