import { describe, expect, test } from "vitest";
import { asPrintable } from "../printable.ts";
import type { Client } from "./client.ts";
import { connectJson, type JsonClient } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";
import { connectText } from "./text-client.ts";

/** One client of each protocol. */
interface Clients {
  readonly plain: Client;
  readonly withSender: Client;
  readonly text: Client;
  readonly json: JsonClient;
}

/** Values that a client of `relay.v1.json` sends, each with the text that clients of other protocols receive. */
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

/** Characters of one to four bytes of UTF-8, characters that JSON escapes, a byte order mark. */
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

  test.each(TEXTS)("receive the text %j as text, and in JSON as a string", async (text) => {
    const { plain, withSender, text: line, json } = await connectClients(server());
    for (const sender of [plain, line]) {
      for (const { id } of [plain, withSender, line, json]) sender.send(`${id}:${text}`);
      await expect(plain.next()).resolves.toBe(text);
      await expect(withSender.next()).resolves.toBe(`${sender.id}:${text}`);
      await expect(line.next()).resolves.toBe(`${sender.id}:${asPrintable(text)}`);
      expect(await json.next()).toMatchObject({ type: "message", from: sender.id, data: text });
    }
  });

  test("receive bytes as a binary frame, and in JSON as base64", async () => {
    const { plain, withSender, text: line, json } = await connectClients(server());
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

  test("receive base64 that was sent in JSON as a binary frame", async () => {
    const { plain, withSender, text: line, json } = await connectClients(server());
    for (const { id } of [plain, withSender, line]) {
      json.send({ type: "send", to: id, data: BYTES.toString("base64"), encoding: "base64" });
    }
    await expect(plain.next()).resolves.toEqual(BYTES);
    await expect(withSender.next()).resolves.toEqual(Buffer.concat([Buffer.from(`${json.id}:`), BYTES]));
    await expect(line.next()).resolves.toEqual(Buffer.concat([Buffer.from(`${json.id}:`), BYTES]));
  });

  test.each(VALUES)("receive the JSON value %j as the text %j, and in JSON unchanged", async (data, text) => {
    const { plain, withSender, text: line, json } = await connectClients(server());
    for (const { id } of [plain, withSender, line, json]) json.send({ type: "send", to: id, data });
    await expect(plain.next()).resolves.toBe(text);
    await expect(withSender.next()).resolves.toBe(`${json.id}:${text}`);
    await expect(line.next()).resolves.toBe(`${json.id}:${asPrintable(text)}`);
    expect(await json.next()).toEqual({ type: "message", from: json.id, data, sequenceId: 1 });
  });

  test("receive a JSON value exactly as its sender wrote it, with every digit of a number", async () => {
    const { plain, json } = await connectClients(server());
    const data = '{"large":12345678901234567890,"small":1.10,"escaped":"\\u00e9"}';
    for (const { id } of [plain, json]) json.sendRaw(`{"type":"send","to":"${id}","data": ${data} }`);
    await expect(plain.next()).resolves.toBe(data);
    expect(await json.next()).toMatchObject({ data: JSON.parse(data) });
  });

  test("cannot forge a line or control the terminal of a client of relay.v1.text", async () => {
    const { plain, text: line, json } = await connectClients(server());
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

  test("receive half a surrogate pair, which UTF-8 cannot encode, without harm", async () => {
    const { plain, text: line, json } = await connectClients(server());
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

  test("in one room receive each message in their own protocol", async () => {
    const { text: line, json } = await connectClients(server());
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

async function connectClients(server: Server): Promise<Clients> {
  const [plain, withSender] = [await server.connect(), await server.connect({ withSender: true })];
  return { plain, withSender, text: await connectText(server), json: await connectJson(server) };
}
