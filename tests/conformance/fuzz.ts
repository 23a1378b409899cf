import type { Random } from "../chaos/random.ts";
import { FOREIGN } from "../foreign.ts";
import { closePayload, OPCODES, type WireFrame } from "./frames.ts";
import { JSON_BYTES_PROTOCOL, JSON_PROTOCOL } from "./json-client.ts";
import type { TEXT_PROTOCOL } from "./text-client.ts";

const { continuation, text, binary, close, ping, pong } = OPCODES;

/** Subprotocol to offer; `undefined` for plain. */
export type Subprotocol = typeof JSON_PROTOCOL | typeof JSON_BYTES_PROTOCOL | typeof TEXT_PROTOCOL | undefined;

type Choices<T> = readonly [T, ...T[]];

const WORDS: Choices<string> = [
  "",
  "hello",
  "a:b:c",
  "您好啊 😀",
  "\u0000\u0007",
  "\ud83d",
  "\ufeff",
  '"\\"',
  ":error no_such_id",
  "x".repeat(300),
  "\r\n",
];

const JSON_VALUES: Choices<unknown> = [
  null,
  true,
  -0,
  1e21,
  2 ** 53,
  "",
  "hello 😀",
  "AAEC",
  [],
  [[[[[1]]]]],
  {},
  { toString: 1, constructor: { prototype: null } },
  "x".repeat(300),
];

const TYPES: Choices<string> = [
  "send",
  "publish",
  "join",
  "leave",
  "members",
  "watch",
  "unwatch",
  "sequenceAck",
  "ping",
  "pong",
  "welcome",
  "ack",
  "__proto__",
];

const COMMANDS: Choices<string> = [":join ", ":leave ", ":who ", ":whoami", ":ping", ":welcome ", ":"];

/** Violations of RFC 6455: each ends its sender's connection, and no other. */
const VIOLATIONS: Choices<readonly WireFrame[]> = [
  [{ opcode: text, payload: "x:y", reserved: 4 }],
  [{ opcode: 3, payload: "x:y" }],
  [{ opcode: 11 }],
  [{ opcode: ping, fin: false }],
  [{ opcode: ping, payload: "x".repeat(126) }],
  [{ opcode: continuation, payload: "x" }],
  [
    { opcode: text, payload: "x:", fin: false },
    { opcode: text, payload: "x:y" },
  ],
  [{ opcode: text, payload: Buffer.from([0x78, 0x3a, 0xff]) }],
  [{ opcode: close, payload: "x" }],
  [{ opcode: close, payload: closePayload(1005) }],
  [{ opcode: close, payload: closePayload(4001, "later") }],
  [{ opcode: close }],
  [{ opcode: binary, payload: Buffer.alloc(1_048_577) }],
];

/** Random input from a client: valid frames, damaged ones and noise. The same seed gives the same input. */
export class Fuzz {
  readonly #random: Random;
  readonly #protocol: Subprotocol;
  readonly #addresses: Choices<string>;

  /** @param addresses The only ids and rooms that frames are addressed to; some may not exist. */
  constructor(random: Random, protocol: Subprotocol, addresses: Choices<string>) {
    this.#random = random;
    this.#protocol = protocol;
    this.#addresses = addresses;
  }

  /**
   * Returns one message in one or more frames, or a control frame.
   *
   * The frames are valid in RFC 6455, so that their sender stays connected. Their content may be invalid.
   */
  harmless(): WireFrame[] {
    switch (this.#random.below(10)) {
      case 0:
        return [{ opcode: this.#random.pick([ping, pong]), payload: this.#bytes(125) }];
      case 1:
        return this.#message(binary, this.#bytes(200));
      case 2:
        return this.#message(text, this.#bytes(200).toString("latin1"));
      case 3:
      case 4:
      case 5:
        return this.#message(this.#random.pick([text, text, binary]), this.#damaged(this.#valid()));
      default:
        return this.#message(this.#random.pick([text, text, text, binary]), this.#valid());
    }
  }

  /** Returns frames that make the relay end the connection. */
  violation(): readonly WireFrame[] {
    return this.#random.pick(VIOLATIONS);
  }

  /** Returns random bytes, in place of a frame. */
  noise(): Buffer {
    return this.#bytes(300);
  }

  #valid(): string {
    if (this.#protocol === JSON_PROTOCOL) return this.#json();
    if (this.#protocol === JSON_BYTES_PROTOCOL) {
      return this.#random.pick([this.#json(), this.#json(), `${this.#json()}\n${this.#random.pick(WORDS)}`]);
    }
    const line = `${this.#address()}:${this.#random.pick(WORDS)}`;
    if (this.#protocol === undefined) return line;
    return this.#random.pick([
      line,
      `#${line}`,
      `${this.#random.pick(COMMANDS)}${this.#address()}`,
      ":whoami",
      ":ping",
    ]);
  }

  #json(): string {
    const random = this.#random;
    const optional = (name: string, value: unknown): object => (random.below(3) === 0 ? {} : { [name]: value });
    return JSON.stringify({
      type: random.pick(TYPES),
      ...optional("to", this.#address()),
      ...optional("room", this.#address()),
      ...optional("id", this.#address()),
      ...optional("data", random.pick(JSON_VALUES)),
      ...optional("ackId", random.pick([random.below(500), -1, "1", null])),
      ...(random.below(8) === 0 ? { encoding: random.pick(["base64", "hex", 1]) } : {}),
      ...(random.below(8) === 0 ? { echo: random.pick([true, false, "yes"]) } : {}),
      ...(random.below(8) === 0 ? { sequenceId: random.pick([0, 1, 50, 2 ** 53 - 1, -1, 0.5]) } : {}),
    });
  }

  /** Returns the text with random parts dropped, doubled or replaced. */
  #damaged(valid: string): string {
    let text = valid;
    for (let changesLeft = this.#random.below(4); changesLeft >= 0; changesLeft--) {
      const start = this.#random.below(text.length + 1);
      const inserted = this.#random.pick([this.#random.pick(FOREIGN), "", text.slice(start, start + 5)]);
      text = text.slice(0, start) + inserted + text.slice(start + this.#random.below(8));
    }
    return text;
  }

  /** Returns the message in one frame, or in fragments with pings between them. */
  #message(opcode: number, payload: string | Buffer): WireFrame[] {
    const bytes = Buffer.from(payload);
    if (this.#random.below(4) > 0) return [{ opcode, payload: bytes }];
    const frames: WireFrame[] = [];
    let start = 0;
    while (start < bytes.length) {
      const end = start + 1 + this.#random.below(bytes.length);
      frames.push({ opcode: start === 0 ? opcode : continuation, payload: bytes.subarray(start, end), fin: false });
      if (this.#random.below(4) === 0) frames.push({ opcode: ping, payload: "between" });
      start = end;
    }
    return [...frames, { opcode: frames.length === 0 ? opcode : continuation }];
  }

  #address(): string {
    return this.#random.pick(this.#addresses);
  }

  #bytes(maxLength: number): Buffer {
    return Buffer.from(Array.from({ length: this.#random.below(maxLength + 1) }, () => this.#random.below(256)));
  }
}
