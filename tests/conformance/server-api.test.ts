import { describe, expect, test } from "vitest";
import { openClient } from "./client.ts";
import { JSON_BYTES_PROTOCOL, openJson } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedApp } from "./subject.ts";
import { TEXT_PROTOCOL } from "./text-client.ts";
import { until } from "./wait.ts";

const BYTES = [0x2a, 0xff, 0x00];

describe.each(runtimes)("the server's code on $name", (runtime) => {
  const app = sharedApp(runtime);

  test("sends text and bytes to a client of each protocol, which sees that they are the server's", async () => {
    const [plain, from, text] = await Promise.all([
      openClient(address(app(), "plain")),
      openClient(address(app(), "from", "&from=1")),
      openClient(address(app(), "text"), [TEXT_PROTOCOL]),
    ]);
    const [json, bytes] = [
      await openJson(address(app(), "json")),
      await openJson(address(app(), "bytes"), JSON_BYTES_PROTOCOL),
    ];
    for (const id of ["plain", "from", "text", "json", "bytes"]) {
      expect(await command(app(), "send", [id, "您好"])).toEqual({ outcome: "delivered" });
      expect(await command(app(), "send", [id], BYTES)).toEqual({ outcome: "delivered" });
    }
    expect(await text.next()).toBe(":welcome text");
    expect([await plain.next(), await plain.next()]).toEqual(["您好", Buffer.from(BYTES)]);
    const asLine = [":server 您好", Buffer.concat([Buffer.from(":server "), Buffer.from(BYTES)])];
    expect([await from.next(), await from.next()]).toEqual(asLine);
    expect([await text.next(), await text.next()]).toEqual(asLine);
    const first = { type: "message", data: "您好", sequenceId: 1 };
    expect([await json.next(), await json.next()]).toEqual([
      first,
      { type: "message", data: "Kv8A", encoding: "base64", sequenceId: 2 },
    ]);
    expect([await bytes.next(), await bytes.next()]).toEqual([
      first,
      { type: "message", sequenceId: 2, body: Buffer.from(BYTES) },
    ]);
    await Promise.all([plain, from, text, json, bytes].map((client) => client.close()));
  });

  test("cannot be imitated by a client", async () => {
    const text = await openClient(address(app(), "text"), [TEXT_PROTOCOL]);
    const from = await openClient(address(app(), "from", "&from=1"));
    const [json, mallory] = [await openJson(address(app(), "json")), await openJson(address(app(), "mallory"))];
    expect(await text.next()).toBe(":welcome text");
    for (const to of ["text", "from", "json"]) {
      mallory.send({ type: "send", to, data: "\n:server hi", server: true, from: null });
    }
    expect(await text.next()).toBe("mallory:\n\t:server hi");
    expect(await from.next()).toBe("mallory:\n:server hi");
    expect(await json.next()).toEqual({ type: "message", from: "mallory", data: "\n:server hi", sequenceId: 1 });
    mallory.send({ type: "send", to: ":server", data: "hi" });
    expect(await mallory.next()).toMatchObject({ type: "error", error: { code: "bad_id" } });
    await Promise.all([text, from, json, mallory].map((client) => client.close()));
  });

  test("puts clients into a room, publishes there, lists them, and takes one out", async () => {
    const [plain, text] = [
      await openClient(address(app(), "plain")),
      await openClient(address(app(), "text"), [TEXT_PROTOCOL]),
    ];
    const json = await openJson(address(app(), "json"));
    for (const id of ["plain", "text", "json"]) {
      expect(await command(app(), "join", [id, "match"])).toEqual({ outcome: "done" });
    }
    const published = await command(app(), "publish", ["match", { move: 1 }, { except: "plain" }]);
    expect(published).toEqual({ outcome: "delivered", recipients: 2 });
    expect(await command(app(), "publish", ["match", "go"])).toEqual({ outcome: "delivered", recipients: 3 });
    expect(await command(app(), "members", ["match"])).toEqual(["plain", "text", "json"]);
    const { sessions } = (await command(app(), "sessions", [{ room: "match", prefix: "t" }])) as { sessions: object[] };
    expect(sessions).toEqual([
      expect.objectContaining({
        id: "text",
        protocol: TEXT_PROTOCOL,
        address: "127.0.0.1",
        state: "online",
        rooms: ["match"],
      }),
    ]);
    expect(await command(app(), "leave", ["json", "match"])).toEqual({ outcome: "done" });

    expect(await plain.next()).toBe("go");
    const lines = [":welcome text", ":joined text match", ":joined json match"];
    lines.push(':server#match {"move":1}', ":server#match go", ":left json match");
    for (const line of lines) expect(await text.next()).toBe(line);
    expect(await json.next()).toEqual({ type: "presence", id: "json", room: "match", event: "joined" });
    expect(await json.next()).toEqual({ type: "message", room: "match", data: { move: 1 }, sequenceId: 1 });
    expect(await json.next()).toMatchObject({ type: "message", data: "go" });
    expect(await json.next()).toEqual({ type: "presence", id: "json", room: "match", event: "left" });
    await Promise.all([plain, text, json].map((client) => client.close()));
  });

  test("disconnects a client, for good or for it to come back", async () => {
    const [one, two] = [await openJson(address(app(), "one")), await openJson(address(app(), "two"))];
    const three = await openClient(address(app(), "three"));
    expect(await command(app(), "disconnect", ["one"])).toEqual({ outcome: "done" });
    expect(await one.untilClosed()).toEqual({ code: 4505, reason: "The server disconnected this client" });
    await until(async () => (await command(app(), "session", ["one"])) === undefined, "the session one to end");
    expect(await command(app(), "disconnect", ["two", { final: false }])).toEqual({ outcome: "done" });
    expect(await two.untilClosed()).toEqual({ code: 4004, reason: "The server closed this connection: connect again" });
    const back = await openJson(address(app(), "two", `&resume=${two.token}`));
    expect(back.welcome.resumed).toBe(true);
    await command(app(), "disconnect", ["three", { code: 3001, reason: "Enough of you" }]);
    expect(await three.untilClosed()).toEqual({ code: 3001, reason: "Enough of you" });
    await back.close();
  });
});

function address(app: Server, name: string, query = ""): string {
  return `ws://127.0.0.1:${app.port}/relay/ws?name=${name}${query}`;
}

/** Has the app run a command of the server's API. @param bytes Bytes of a last argument. */
async function command(
  app: Server,
  name: string,
  args: readonly unknown[],
  bytes?: readonly number[],
): Promise<unknown> {
  const body = JSON.stringify({ args, bytes });
  const response = await fetch(app.url(`/command/${name}`), { method: "POST", body });
  expect(response.status).toBe(200);
  return ((await response.json()) as { readonly result: unknown }).result; // As apps/hooks.ts answers it.
}
