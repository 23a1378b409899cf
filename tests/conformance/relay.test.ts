import { describe, expect, test } from "vitest";
import { runtimes } from "./runtimes.ts";
import { ownServer, sharedServer } from "./subject.ts";

const MEBIBYTE = 1_048_576;
/** Characters of one to four bytes of UTF-8, combining marks, controls, a byte order mark. */
const TEXTS = ["a", "é", "您好啊", "😀🇪🇺", "e\u0301", "\u0000\t\r\n", "\ufeffmark", "line\u2028separator"];

describe.each(runtimes)("the relay on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("delivers a message to the client that it names, and to nobody else", async () => {
    const [one, two, three] = [await server().connect(), await server().connect(), await server().connect()];
    one.send(`${two.id}:hello`);
    await expect(two.next()).resolves.toBe("hello");
    await expect(three).toStaySilent();
    await expect(one).toStaySilent();
  });

  test("gives the ids 1, 2, 3 in the order of connecting, and none twice", async () => {
    const fresh = await ownServer(runtime);
    const one = await fresh.open("/ws?from=1");
    const two = await fresh.open();
    const three = await fresh.open();
    two.send("1:second");
    three.send("1:third");
    expect([await one.next(), await one.next()].sort()).toEqual(["2:second", "3:third"]);
    await two.close();
    await three.close();
    const four = await fresh.open();
    four.send("1:fourth");
    await expect(one.next()).resolves.toBe("4:fourth");
  });

  test("delivers a message of a client to itself", async () => {
    const one = await server().connect();
    one.send(`${one.id}:note`);
    await expect(one.next()).resolves.toBe("note");
  });

  test("separates the id from the message at the first colon only", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    one.send(`${two.id}::a:b::`);
    await expect(two.next()).resolves.toBe(":a:b::");
  });

  test("delivers an empty message", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    one.send(`${two.id}:`);
    one.send(Buffer.from(`${two.id}:`));
    await expect(two.next()).resolves.toBe("");
    await expect(two.next()).resolves.toEqual(Buffer.alloc(0));
  });

  test.each(TEXTS)("delivers the text %j unchanged", async (text) => {
    const [one, two] = [await server().connect(), await server().connect()];
    one.send(`${two.id}:${text}`);
    await expect(two.next()).resolves.toBe(text);
  });

  test("delivers the bytes after the colon unchanged, in a binary frame", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
    one.send(Buffer.concat([Buffer.from(`${two.id}:`), bytes]));
    await expect(two.next()).resolves.toEqual(bytes);
  });

  test("delivers a frame of 1 MiB complete, as text and as bytes", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    const length = MEBIBYTE - `${two.id}:`.length;
    const text = "0123456789abcdef".repeat(MEBIBYTE / 16).slice(0, length);
    one.send(`${two.id}:${text}`);
    expect((await two.next()) === text).toBe(true);
    const bytes = Buffer.alloc(length, text);
    one.send(Buffer.concat([Buffer.from(`${two.id}:`), bytes]));
    expect(bytes.equals(Buffer.from(await two.next()))).toBe(true);
  });

  test("names the sender of each delivery to a client with ?from=1, in text and in bytes", async () => {
    const [one, two] = [await server().connect(), await server().connect({ withSender: true })];
    one.send(`${two.id}:a:b`);
    one.send(Buffer.from(`${two.id}:\0ÿ`, "latin1"));
    await expect(two.next()).resolves.toBe(`${one.id}:a:b`);
    await expect(two.next()).resolves.toEqual(Buffer.from(`${one.id}:\0ÿ`, "latin1"));
  });

  test("names no sender to a client without ?from=1, whatever its other query parameters", async () => {
    const one = await server().connect();
    for (const query of ["?from=0", "?from=", "?from=2", "?other=1"]) {
      const raw = await server().openRaw({ path: `/ws${query}` });
      raw.text(`${one.id}:ready`);
      await expect(one.next()).resolves.toBe("ready");
    }
  });

  test("sends a plain client nothing by itself, not even a welcome", async () => {
    const one = await server().connect();
    await server().connect();
    await expect(one).toStaySilent();
  });

  test("delivers messages of one client to another in order: small and large, text and bytes", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    const count = 20_000;
    const window = 500;
    for (let sent = 0, received = 0; received < count; received++) {
      for (; sent < count && sent < received + window; sent++) one.send(numbered(two.id, sent));
      const message = await two.next();
      expect(typeof message).toBe(isText(received) ? "string" : "object");
      expect(message.length).toBe(numbered("", received).length - 1);
      expect(Number.parseInt(message.toString(), 10)).toBe(received);
    }
  });
});

function isText(number: number): boolean {
  return number % 3 > 0;
}

/** Returns a message that starts with its number. Most are short; one in a thousand has 70 kB. */
function numbered(id: string, number: number): string | Buffer {
  const length = number % 1000 === 999 ? 70_000 : number % 100 === 99 ? 3000 : number % 130;
  const message = `${id}:${number} ${"x".repeat(length)}`;
  return isText(number) ? message : Buffer.from(message);
}
