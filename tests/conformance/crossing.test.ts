import { describe, expect, test } from "vitest";
import { asPrintable } from "../printable.ts";
import type { Client } from "./client.ts";
import { connectJson, type JsonClient } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";
import { connectText } from "./text-client.ts";

/** One of each, who all know each other's id. */
interface Company {
  readonly plain: Client;
  readonly withSender: Client;
  readonly text: Client;
  readonly json: JsonClient;
}

/** What `relay.v1.json` sends, and what arrives where there is no JSON. */
const VALUES: readonly (readonly [data: unknown, text: string])[] = [
  ["您好啊", "您好啊"],
  ["", ""],
  ['"quoted"\n', '"quoted"\n'],
  [
    { text: "您", list: [1, 2.5, -0.1, null], nested: { yes: true } },
    '{"text":"您","list":[1,2.5,-0.1,null],"nested":{"yes":true}}',
  ],
  [[], "[]"],
  [0, "0"],
  [false, "false"],
  [null, "null"],
];

/** One to four bytes of UTF-8, what JSON escapes, a byte order mark. */
const TEXTS = [
  "hello",
  "",
  "é您😀🇪🇺",
  'a "quote", a \\ and a /',
  "\u0000\u001f\r\n\t",
  "\ufeffmark",
  "\u2028",
  "true",
  "{}",
];
const BYTES = Buffer.from(Array.from({ length: 257 }, (_, index) => index % 256));

describe.each(runtimes)("clients of different protocols on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(TEXTS)("text arrives as text, and in JSON as a string: %j", async (text) => {
    const { plain, withSender, text: line, json } = await gather(server());
    for (const sender of [plain, line]) {
      for (const { id } of [plain, withSender, line, json]) sender.send(`${id}:${text}`);
      await expect(plain.next()).resolves.toBe(text);
      await expect(withSender.next()).resolves.toBe(`${sender.id}:${text}`);
      await expect(line.next()).resolves.toBe(`${sender.id}:${asPrintable(text)}`);
      expect(await json.next()).toMatchObject({ type: "message", from: sender.id, data: text });
    }
  });

  test("bytes arrive as a binary frame, and in JSON as base64", async () => {
    const { plain, withSender, text: line, json } = await gather(server());
    for (const sender of [plain, line]) {
      for (const { id } of [plain, withSender, line, json]) sender.send(Buffer.concat([Buffer.from(`${id}:`), BYTES]));
      await expect(plain.next()).resolves.toEqual(BYTES);
      await expect(withSender.next()).resolves.toEqual(Buffer.concat([Buffer.from(`${sender.id}:`), BYTES]));
      await expect(line.next()).resolves.toEqual(Buffer.concat([Buffer.from(`${sender.id}:`), BYTES]));
      const { sequenceId, ...message } = await json.next();
      expect(message).toEqual({
        type: "message",
        from: sender.id,
        data: BYTES.toString("base64"),
        encoding: "base64",
      });
    }
  });

  test("base64 in JSON arrives as a binary frame", async () => {
    const { plain, withSender, text: line, json } = await gather(server());
    for (const { id } of [plain, withSender, line]) {
      json.send({ type: "send", to: id, data: BYTES.toString("base64"), encoding: "base64" });
    }
    await expect(plain.next()).resolves.toEqual(BYTES);
    await expect(withSender.next()).resolves.toEqual(Buffer.concat([Buffer.from(`${json.id}:`), BYTES]));
    await expect(line.next()).resolves.toEqual(Buffer.concat([Buffer.from(`${json.id}:`), BYTES]));
  });

  test.each(VALUES)("the JSON value %j arrives as the text %j, and in JSON as it is", async (data, text) => {
    const { plain, withSender, text: line, json } = await gather(server());
    for (const { id } of [plain, withSender, line, json]) json.send({ type: "send", to: id, data });
    await expect(plain.next()).resolves.toBe(text);
    await expect(withSender.next()).resolves.toBe(`${json.id}:${text}`);
    await expect(line.next()).resolves.toBe(`${json.id}:${asPrintable(text)}`);
    expect(await json.next()).toEqual({ type: "message", from: json.id, data, sequenceId: 1 });
  });

  test("a JSON value arrives as its sender spelled it: no digit of a number is lost", async () => {
    const { plain, json } = await gather(server());
    const data = '{"large":12345678901234567890,"small":1.10,"escaped":"\\u00e9"}';
    for (const { id } of [plain, json]) json.sendRaw(`{"type":"send","to":"${id}","data": ${data} }`);
    await expect(plain.next()).resolves.toBe(data);
    expect(await json.next()).toMatchObject({ data: JSON.parse(data) });
  });

  test("no message begins a line at a client of relay.v1.text, and none speaks to its terminal", async () => {
    const { plain, text: line, json } = await gather(server());
    const other = await connectText(server());
    const forged = `hi\n${plain.id}:forged\r:error forged\u2028:x\u0085:y\u001b[2J\u009b1m\u0007`;
    const shown = `hi\n\t${plain.id}:forged\n\t:error forged\n\t:x\n\t:y␛[2J\ufffd1m␇`;
    for (const sender of [plain, line]) {
      sender.send(`${other.id}:${forged}`);
      await expect(other.next()).resolves.toBe(`${sender.id}:${shown}`);
    }
    json.send({ type: "send", to: other.id, data: forged });
    await expect(other.next()).resolves.toBe(`${json.id}:${shown}`);
    json.sendRaw(`{"type":"send","to":"${other.id}","data":["\u0085",\n"\u009b"]}`);
    await expect(other.next()).resolves.toBe(`${json.id}:["\n\t",\n\t"\ufffd"]`);
    for (const client of [line, other]) {
      client.send(":join forgers");
      await expect(client.next()).resolves.toBe(`:joined ${client.id} forgers`);
    }
    line.send(`#forgers:${forged}`);
    await expect(other.next()).resolves.toBe(`${line.id}#forgers:${shown}`);
  });

  test("half a surrogate pair, which UTF-8 cannot spell, harms no receiver", async () => {
    const { plain, text: line, json } = await gather(server());
    for (const { id } of [plain, line, json]) {
      json.sendRaw(`{"type":"send","to":"${id}","data":"a\\ud83d"}`);
      json.sendRaw(`{"type":"send","to":"${id}","data":{"half":"\\ude00b"}}`);
    }
    await expect(plain.next()).resolves.toBe("a\ufffd");
    await expect(plain.next()).resolves.toBe('{"half":"\\ude00b"}');
    await expect(line.next()).resolves.toBe(`${json.id}:a\ufffd`);
    await expect(line.next()).resolves.toBe(`${json.id}:{"half":"\\ude00b"}`);
    expect(await json.next()).toMatchObject({ data: "a\ud83d" });
    expect(await json.next()).toMatchObject({ data: { half: "\ude00b" } });
    await expect(plain).toStaySilent();
  });

  test("in a room of text and JSON each gets what is published in its own words", async () => {
    const { text: line, json } = await gather(server());
    const [otherLine, otherJson] = [await connectText(server()), await connectJson(server())];
    for (const client of [json, otherJson]) await client.ask({ type: "join", room: "mixed" });
    expect(await json.next()).toEqual({ type: "presence", id: otherJson.id, room: "mixed", event: "joined" });
    for (const client of [line, otherLine]) {
      client.send(":join mixed");
      await expect(client.next()).resolves.toBe(`:joined ${client.id} mixed`);
      for (const member of [json, otherJson]) {
        expect(await member.next()).toEqual({ type: "presence", id: client.id, room: "mixed", event: "joined" });
      }
    }
    await expect(line.next()).resolves.toBe(`:joined ${otherLine.id} mixed`);

    line.send("#mixed:from text");
    await expect(otherLine.next()).resolves.toBe(`${line.id}#mixed:from text`);
    for (const member of [json, otherJson]) {
      expect(await member.next()).toMatchObject({ from: line.id, room: "mixed", data: "from text" });
    }
    const outcome = await json.ask({ type: "publish", room: "mixed", data: { from: "json" } });
    expect(outcome).toEqual({ outcome: "delivered", recipients: 3 });
    for (const member of [line, otherLine]) {
      await expect(member.next()).resolves.toBe(`${json.id}#mixed:{"from":"json"}`);
    }
    expect(await otherJson.next()).toMatchObject({ from: json.id, room: "mixed", data: { from: "json" } });
    await expect(json).toStaySilent();
    await expect(line).toStaySilent();
  });
});

async function gather(server: Server): Promise<Company> {
  const [plain, withSender] = [await server.connect(), await server.connect({ withSender: true })];
  return { plain, withSender, text: await connectText(server), json: await connectJson(server) };
}
