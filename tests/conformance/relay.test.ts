import { describe, expect, test } from "vitest";
import { runtimes } from "./runtimes.ts";
import { ownServer, sharedServer } from "./subject.ts";

const MEBIBYTE = 1_048_576;
/** One to four bytes of UTF-8, a character outside the basic plane, a combining mark, controls, a byte order mark. */
const WIDTHS = ["a", "é", "您好啊", "😀🇪🇺", "e\u0301", "\u0000\t\r\n", "\ufeffmark", "line\u2028separator"];

describe.each(runtimes)("the relay on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("a message reaches the client it names, and nobody else", async () => {
    const [one, two, three] = [await server().connect(), await server().connect(), await server().connect()];
    one.send(`${two.id}:hello`);
    await expect(two.next()).resolves.toBe("hello");
    await expect(three).toStaySilent();
    await expect(one).toStaySilent();
  });

  test("ids are 1, 2, 3 in order of connecting, and none is given twice", async () => {
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

  test("a client can send to itself", async () => {
    const one = await server().connect();
    one.send(`${one.id}:note`);
    await expect(one.next()).resolves.toBe("note");
  });

  test("only the first colon separates", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    one.send(`${two.id}::a:b::`);
    await expect(two.next()).resolves.toBe(":a:b::");
  });

  test("an empty message arrives as an empty message", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    one.send(`${two.id}:`);
    one.send(Buffer.from(`${two.id}:`));
    await expect(two.next()).resolves.toBe("");
    await expect(two.next()).resolves.toEqual(Buffer.alloc(0));
  });

  test.each(WIDTHS)("text stays the text that it is: %j", async (text) => {
    const [one, two] = [await server().connect(), await server().connect()];
    one.send(`${two.id}:${text}`);
    await expect(two.next()).resolves.toBe(text);
  });

  test("bytes arrive as a binary frame with exactly what stood after the colon", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
    one.send(Buffer.concat([Buffer.from(`${two.id}:`), bytes]));
    await expect(two.next()).resolves.toEqual(bytes);
  });

  test("a frame of 1 MiB arrives whole, as text and as bytes", async () => {
    const [one, two] = [await server().connect(), await server().connect()];
    const length = MEBIBYTE - `${two.id}:`.length;
    const text = "0123456789abcdef".repeat(MEBIBYTE / 16).slice(0, length);
    one.send(`${two.id}:${text}`);
    expect((await two.next()) === text).toBe(true);
    const bytes = Buffer.alloc(length, text);
    one.send(Buffer.concat([Buffer.from(`${two.id}:`), bytes]));
    expect(bytes.equals(Buffer.from(await two.next()))).toBe(true);
  });

  test("with ?from=1 a delivery names its sender, as text and as bytes", async () => {
    const [one, two] = [await server().connect(), await server().connect({ withSender: true })];
    one.send(`${two.id}:a:b`);
    one.send(Buffer.from(`${two.id}:\0ÿ`, "latin1"));
    await expect(two.next()).resolves.toBe(`${one.id}:a:b`);
    await expect(two.next()).resolves.toEqual(Buffer.from(`${one.id}:\0ÿ`, "latin1"));
  });

  test("without ?from=1 a delivery does not, whatever else the address says", async () => {
    const one = await server().connect();
    for (const query of ["?from=0", "?from=", "?from=2", "?other=1"]) {
      const raw = await server().openRaw({ path: `/ws${query}` });
      raw.text(`${one.id}:ready`);
      await expect(one.next()).resolves.toBe("ready");
    }
  });

  test("a client is told nothing unasked, from its first moment", async () => {
    const one = await server().connect();
    await server().connect();
    await expect(one).toStaySilent();
  });

  test("messages of one client to another arrive in order, small and large, text and bytes", async () => {
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

/** A message that begins with its number, mostly short, at times of many kilobytes. */
function numbered(id: string, number: number): string | Buffer {
  const length = number % 1000 === 999 ? 70_000 : number % 100 === 99 ? 3000 : number % 130;
  const message = `${id}:${number} ${"x".repeat(length)}`;
  return isText(number) ? message : Buffer.from(message);
}
