import { describe, expect, test } from "vitest";
import { closePayload, encodeFrame, OPCODES, type WireFrame } from "./frames.ts";
import { handshake, openTcp } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import { sharedServer } from "./subject.ts";
import { within } from "./wait.ts";

const { text, binary, continuation, close, ping } = OPCODES;
const OVERLONG = Buffer.from([0xc0, 0xaf]);

/** Frames that break RFC 6455, each with the code of the close frame. */
const BROKEN: readonly (readonly [string, readonly WireFrame[], number])[] = [
  ["a reserved bit", [{ opcode: text, payload: "1:x", reserved: 4 }], 1002],
  ["the other reserved bits", [{ opcode: binary, payload: "1:x", reserved: 3 }], 1002],
  ["a frame without a mask", [{ opcode: text, payload: "0:x", masked: false }], 1002],
  ["a reserved opcode", [{ opcode: 3, payload: "1:x" }], 1002],
  ["a reserved opcode of a control frame", [{ opcode: 11 }], 1002],
  ["a ping in fragments", [{ opcode: ping, fin: false }], 1002],
  ["a ping of 126 bytes", [{ opcode: ping, payload: "x".repeat(126) }], 1002],
  ["a close of 126 bytes", [{ opcode: close, payload: closePayload(1000, "x".repeat(124)) }], 1002],
  ["a continuation without a message before it", [{ opcode: continuation, payload: "x" }], 1002],
  [
    "a message inside another",
    [
      { opcode: text, payload: "1:", fin: false },
      { opcode: text, payload: "1:x" },
    ],
    1002,
  ],
  ["text that is not UTF-8", [{ opcode: text, payload: Buffer.from([0x31, 0x3a, 0xff]) }], 1007],
  ["text with an overlong form", [{ opcode: text, payload: OVERLONG }], 1007],
  ["text that ends inside a character", [{ opcode: text, payload: Buffer.from("1:é").subarray(0, 3) }], 1007],
  ["a close with one byte", [{ opcode: close, payload: "x" }], 1002],
  ["a close with code 999", [{ opcode: close, payload: closePayload(999) }], 1002],
  ["a close with code 1005", [{ opcode: close, payload: closePayload(1005) }], 1002],
  ["a close with code 5000", [{ opcode: close, payload: closePayload(5000) }], 1002],
  ["a close whose reason is not UTF-8", [{ opcode: close, payload: Buffer.from([3, 232, 0xff]) }], 1007],
];

describe.each(runtimes)("a client that breaks the protocol on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(BROKEN)("with %s loses its own connection, and affects no other", async (name, frames, code) => {
    const { raw, id } = await server().connectRaw();
    raw.send(...frames);
    if (runtime.exceptions.laxProtocol === undefined) {
      await expect(raw.closeCode()).resolves.toBe(code);
    } else if (name === "a frame without a mask") {
      await expect(raw.next()).resolves.toMatch(/^:error /);
      raw.reset();
    } else {
      expect([1000, 1002, 1006]).toContain(await raw.closeCode());
    }
    await server().untilLeft(id);
    await server().relayOne();
  });

  test("is dropped even when it does not answer the relay's close frame", async () => {
    const { raw } = await server().connectRaw();
    raw.send({ opcode: binary, payload: Buffer.alloc(1_048_577) });
    await expect(raw.closeCode()).resolves.toBe(1009);
    // Where the relay can't drop a socket, only the client's end stays open: the relay no longer holds it.
    if (runtime.exceptions.cannotTerminate === undefined) await within(raw.gone, "the end of the connection");
    await server().relayOne();
  });

  test("by a reset inside a frame affects no other client", async () => {
    const { raw, id } = await server().connectRaw();
    raw.write(encodeFrame({ opcode: text, payload: `${id}:${"x".repeat(1000)}` }).subarray(0, 500));
    raw.text("");
    raw.reset();
    await server().untilLeft(id);
    await server().relayOne();
  });
});

describe.each(runtimes)("a client with unusual but valid frames on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("gets a pong for a ping between the fragments of a message, and the message arrives", async () => {
    const { raw, id } = await server().connectRaw();
    raw.send(
      { opcode: text, payload: `${id}:one `, fin: false },
      { opcode: ping, payload: "between" },
      { opcode: continuation, payload: "two" },
    );
    expect((await raw.frame(OPCODES.pong)).payload.toString()).toBe("between");
    await expect(raw.next()).resolves.toBe("one two");
  });

  test("stays connected when it sends many pings at once, and gets a pong for the last one", async () => {
    const { raw, id } = await server().connectRaw();
    raw.send(...Array.from({ length: 200 }, (_, number) => ({ opcode: ping, payload: `ping ${number}` })));
    while ((await raw.frame(OPCODES.pong)).payload.toString() !== "ping 199");
    raw.text(`${id}:still here`);
    await expect(raw.next()).resolves.toBe("still here");
  });

  test("can send a message in 10,000 fragments", async () => {
    const { raw, id } = await server().connectRaw();
    const piece = { opcode: continuation, payload: "x", fin: false };
    raw.send({ opcode: text, payload: `${id}:`, fin: false }, ...Array.from({ length: 9998 }, () => piece), {
      opcode: continuation,
    });
    await expect(raw.next()).resolves.toBe("x".repeat(9998));
  });

  test("can send a message in fragments, some of them empty, one ending inside a character", async () => {
    const { raw, id } = await server().connectRaw();
    const bytes = Buffer.from(`${id}:héé`);
    const pieces = [...bytes].map((byte) => Buffer.from([byte]));
    raw.send(
      { opcode: text, fin: false },
      ...pieces.map((payload) => ({ opcode: continuation, payload, fin: false })),
      { opcode: continuation },
    );
    await expect(raw.next()).resolves.toBe("héé");
  });

  test("can send a frame byte by byte", async () => {
    const { raw, id } = await server().connectRaw();
    for (const byte of encodeFrame({ opcode: text, payload: `${id}:slow` })) {
      raw.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect(raw.next()).resolves.toBe("slow");
  });

  test("can send many frames in one write; they arrive in order", async () => {
    const { raw, id } = await server().connectRaw();
    raw.send(...Array.from({ length: 1000 }, (_, number) => ({ opcode: text, payload: `${id}:${number}` })));
    for (let number = 0; number < 1000; number++) await expect(raw.next()).resolves.toBe(String(number));
  });

  test("can send a frame in one write with the handshake", async () => {
    const raw = await openTcp(server().port);
    raw.write(
      Buffer.concat([Buffer.from(handshake({ path: "/echo" })), encodeFrame({ opcode: text, payload: "early" })]),
    );
    expect((await raw.answer()).status).toBe(101);
    await expect(raw.next()).resolves.toBe("res:early");
  });

  test.each([
    ["without a code", "", 1005],
    ["with 1000", closePayload(1000), 1000],
    ["with 1001", closePayload(1001, "bye"), 1001],
    ["with a code of its own", closePayload(4999), 4999],
  ])("gets the same close frame back when it closes %s", async (_name, payload, code) => {
    const { raw, id } = await server().connectRaw();
    raw.send({ opcode: close, payload });
    const left = server().untilLeft(id);
    const isLoss = code === 1001 && runtime.exceptions.treats1001AsLoss !== undefined;
    expect(await left).toMatchObject({ by: "client", code: isLoss ? 1006 : code });
    await expect(raw.closeCode()).resolves.toBe(code);
  });
});
