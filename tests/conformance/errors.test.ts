import { describe, expect, test } from "vitest";
import type { Client } from "./client.ts";
import { encodeFrame, OPCODES } from "./frames.ts";
import { runtimes } from "./runtimes.ts";
import { ownServer, sharedServer } from "./subject.ts";
import { until } from "./wait.ts";

const NOT_FRAMES = ["", "no colon", ":no id", ":", "您好"];
const NOT_IDS = ["a b:x", "#room:x", "你:x", "\u0000:x", " 1:x", "\ufeff1:x", `${"9".repeat(65)}:x`];
const NOBODY = ["0:x", "01:x", "999999:x", "-1:x", "1.0:x", "1e0:x", "__proto__:x", "constructor:x", "toString:x"];

describe.each(runtimes)("a plain frame that cannot be delivered, on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each([
    ["bad_frame", NOT_FRAMES],
    ["bad_id", NOT_IDS],
    ["no_such_id", NOBODY],
  ])(
    "is answered with one line, :error %s and a text, to its sender only, which stays connected",
    async (code, frames) => {
      const [one, two] = [await server().connect(), await server().connect()];
      for (const frame of frames) {
        one.send(frame);
        await expect(one.next()).resolves.toMatch(new RegExp(`^:error ${code} \\S[^\\r\\n]*$`));
      }
      await expect(two).toStaySilent();
      await expect(one).toStaySilent();
    },
  );

  test.each([
    [":whoami", "the subprotocol \\(Sec-WebSocket-Protocol\\) relay.v1.text, such as wscat -s relay.v1.text"],
    [":join lobby", "the subprotocol \\(Sec-WebSocket-Protocol\\) relay.v1.text, such as wscat -s relay.v1.text"],
    ["#lobby:hello", "relay.v1.text or relay.v1.json"],
    ['{"type":"send","to":"1","data":"hello"}', "relay.v1.json"],
  ])("is answered with the name of the protocol that it needs: %s", async (frame, protocol) => {
    const one = await server().connect();
    one.send(frame);
    await expect(one.next()).resolves.toMatch(new RegExp(`^:error bad_(frame|id) .* needs ${protocol}$`));
  });

  test.each([
    ["bad_frame", Buffer.from("no colon")],
    ["bad_id", Buffer.from([0xff, 0xfe, 0x3a, 1])],
    ["no_such_id", Buffer.from("999999:x")],
  ])("is answered with %s as text, even where it was binary", async (code, frame) => {
    const one = await server().connect();
    one.send(frame);
    await expect(one.next()).resolves.toMatch(new RegExp(`^:error ${code} `));
  });

  test("is answered in the same way where the client connected with ?from=1", async () => {
    const one = await server().connect({ withSender: true });
    one.send("999999:x");
    await expect(one.next()).resolves.toMatch(/^:error no_such_id /);
  });

  test("is answered with no_such_id after its recipient's close frame, although TCP is still open", async () => {
    const one = await server().connect();
    const { raw, id } = await server().connectRaw();
    raw.sendClose(1000);
    await expect(raw.closeCode()).resolves.toBe(1000);
    one.send(`${id}:are you there?`);
    await expect(one.next()).resolves.toMatch(/^:error no_such_id /);
  });

  test("is answered with no_such_id once its recipient's connection was reset", async () => {
    const one = await server().connect();
    const { raw, id } = await server().connectRaw();
    raw.reset();
    await server().untilLeft(id);
    one.send(`${id}:are you there?`);
    await expect(one.next()).resolves.toMatch(/^:error no_such_id /);
  });
});

describe.each(runtimes)("RELAY_MAX_MESSAGE_BYTES on $name", (runtime) => {
  const LIMIT = 1000;
  const server = sharedServer(runtime, { env: { RELAY_MAX_MESSAGE_BYTES: String(LIMIT) } });

  test("lets a message of exactly the limit through, in text, multi-byte text and bytes", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    const maxBytes = LIMIT - `${two.id}:`.length;
    for (const text of ["x".repeat(maxBytes), "é".repeat(maxBytes / 2)]) {
      one.send(`${two.id}:${text}`);
      await expect(two.next()).resolves.toBe(text);
      one.send(Buffer.from(`${two.id}:${text}`));
      await expect(two.next()).resolves.toEqual(Buffer.from(text));
    }
  });

  test.each([
    ["text", "x".repeat(LIMIT + 1)],
    ["bytes", Buffer.alloc(LIMIT + 1)],
    ["text that is longer in bytes than in characters", "您".repeat(LIMIT / 2)],
  ])("closes the sender of a larger message with 1009: %s", async (_name, message) => {
    const one = await server().connect();
    one.send(message);
    await expect(one.untilClosed()).resolves.toMatchObject({ code: 1009 });
    await server().relayOne();
  });

  test("closes the sender of a larger message with 1009 where each of its fragments is smaller", async () => {
    const { raw } = await server().connectRaw();
    const piece = "x".repeat(LIMIT / 2);
    raw.send(
      { opcode: OPCODES.text, payload: piece, fin: false },
      { opcode: OPCODES.continuation, payload: piece, fin: false },
      { opcode: OPCODES.continuation, payload: piece, fin: false },
    );
    if (runtime.exceptions.reportsSizeLate !== undefined) {
      raw.send({ opcode: OPCODES.ping });
      await raw.frame(OPCODES.pong);
      raw.send({ opcode: OPCODES.continuation });
    }
    await expect(raw.closeCode()).resolves.toBe(1009);
    await server().relayOne();
  });
});

describe.each(runtimes)("a message of 20 MB on $name", (runtime) => {
  const BYTES = 20_000_000;
  const server = sharedServer(runtime);

  test("closes its sender with 1009 before it has arrived", async () => {
    const { raw } = await server().connectRaw();
    const frame = encodeFrame({ opcode: OPCODES.binary, payload: Buffer.alloc(BYTES) });
    // The frame's header has its length. Most of the frame is sent only where the runtime ignores the header.
    raw.write(frame.subarray(0, 1000));
    if (runtime.exceptions.reportsSizeLate !== undefined) raw.write(frame.subarray(1000));
    await expect(raw.closeCode()).resolves.toBe(1009);
    await server().relayOne();
  });
});

describe.each(runtimes)("RELAY_MAX_CONNECTIONS on $name", (runtime) => {
  test("refuses one more client with 503 before its upgrade, until another client leaves", async () => {
    const server = await ownServer(runtime, { env: { RELAY_MAX_CONNECTIONS: "2" } });
    const one = await server.open();
    await server.open("/echo");
    await expect(server.open()).rejects.toThrow("503");
    await expect(server.open("/echo")).rejects.toThrow("503");
    const ready = await fetch(server.url("/readyz"));
    expect(ready.status).toBe(503);
    expect(ready.headers.get("Retry-After")).toBe("1");
    expect(await ready.json()).toMatchObject({ error: { code: "full" } });
    await one.close();
    // The server may see a new connection before it sees the end of the old one.
    await until(async () => (await fetch(server.url("/readyz"))).ok, "a free place");
    const next = await server.open();
    next.send("2:to myself");
    await expect(next.next()).resolves.toBe("to myself");
  });

  test("holds exactly when 30 clients connect at once: the others get 503 or are closed with 1013", async () => {
    const server = await ownServer(runtime, { env: { RELAY_MAX_CONNECTIONS: "3" } });
    const attempts = await Promise.allSettled(Array.from({ length: 30 }, () => server.open()));
    const served: Client[] = [];
    for (const attempt of attempts) {
      if (attempt.status === "rejected") {
        expect(attempt.reason.message).toContain("503");
        continue;
      }
      const client = attempt.value;
      client.send("nobody:are you there?");
      const answer = await client.next().catch(() => client.untilClosed());
      if (typeof answer === "string") served.push(client);
      else expect(answer).toEqual({ code: 1013, reason: "The relay has no place left" });
    }
    expect(served.length).toBe(3);
    for (const client of served) await client.close();
    const nextClients: Client[] = [];
    while (nextClients.length < 3) {
      await until(async () => (await fetch(server.url("/readyz"))).ok, "a free place");
      nextClients.push(await server.open());
    }
    for (const client of nextClients) client.send("nobody:are you there?");
    for (const client of nextClients) await expect(client.next()).resolves.toMatch(/^:error no_such_id /);
  });
});
