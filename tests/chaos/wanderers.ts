import { connectRawJson, JSON_PROTOCOL } from "../conformance/json-client.ts";
import type { RawClient } from "../conformance/raw.ts";
import type { Server } from "../conformance/server.ts";
import type { Random } from "./random.ts";

/** A connection that reads nothing waits as long as the test takes. */
const FOREVER_MS = 0x7fff_ffff;
const MOST_CONNECTIONS = 100;
const MOST_REMEMBERED = 2000;
const MOST_BYTES = 60_000;
const MOST_AT_ONCE = 8;
/** What all messages and all paddings are the beginning of. */
const DATA = Buffer.alloc(MOST_BYTES, "x");
const SPACES = Buffer.alloc(MOST_BYTES, " ");

/** One session, as its client knows it. */
interface Wanderer {
  readonly id: string;
  readonly token: string;
  readonly raw: RawClient;
  lastSequenceId: number;
}

type Step = () => void | Promise<void>;

/** Clients of relay.v1.json that do what they like: come, vanish, read nothing, send, acknowledge or not, come back, join, watch. */
export class Wanderers {
  readonly #server: Server;
  readonly #random: Random;
  readonly #here: Wanderer[] = [];
  /** Sessions whose connection is gone, and whose token may still be good. */
  readonly #gone: Wanderer[] = [];
  /** What is done, some of it more often. */
  readonly #steps: readonly [Step, ...Step[]];
  /** The most connections that were open at once, those that the relay has not let go of yet among them. */
  peakConnections = 0;
  readonly #sockets = new Set<RawClient>();

  constructor(server: Server, random: Random) {
    this.#server = server;
    this.#random = random;
    const often = (step: Step, times: number): Step[] => Array.from({ length: times }, () => step);
    this.#steps = [
      () => this.#come(),
      ...often(() => this.#come(), 2),
      ...often(() => this.#comeBack(), 3),
      ...often(() => this.#vanish(), 3),
      ...often(() => this.#send(), 24),
      ...often(() => this.#acknowledge(), 6),
      ...often(() => this.#name(), 4),
      ...often(() => this.#readOrNot(), 2),
    ];
  }

  /** One step, of one of them. */
  async step(): Promise<void> {
    await this.#random.pick(this.#steps)();
  }

  end(): void {
    for (const raw of this.#sockets) raw.reset();
  }

  async #come(): Promise<void> {
    if (this.#here.length >= MOST_CONNECTIONS) return this.#vanish();
    this.#welcome(await connectRawJson(this.#server));
  }

  /** With a token that may be used up, be good, or belong to a session that has another connection. */
  async #comeBack(): Promise<void> {
    const wanderer = this.#any(this.#isLucky(0.7) ? this.#gone : this.#here);
    if (wanderer === undefined || this.#here.length >= MOST_CONNECTIONS) return this.#vanish();
    const raw = await this.#server.openRaw({
      path: `/ws?resume=${wanderer.token}`,
      headers: { "Sec-WebSocket-Protocol": JSON_PROTOCOL },
    });
    this.#welcome({ raw, welcome: JSON.parse(String(await raw.next())) });
  }

  #welcome({ raw, welcome }: { readonly raw: RawClient; readonly welcome: { id: string; resumeToken: string } }): void {
    const wanderer: Wanderer = { id: welcome.id, token: welcome.resumeToken, raw, lastSequenceId: 0 };
    this.#here.push(wanderer);
    this.#sockets.add(raw);
    this.peakConnections = Math.max(this.peakConnections, this.#sockets.size);
    // A third of them reads nothing at all.
    if (this.#isLucky(0.33)) raw.pause();
    this.#read(wanderer);
  }

  /** Takes what comes, until the connection is gone. */
  async #read(wanderer: Wanderer): Promise<void> {
    try {
      for (;;) {
        const frame = String(await wanderer.raw.next(FOREVER_MS));
        const sequenceId = /"sequenceId":(\d+)\}$/.exec(frame.slice(-40))?.[1];
        if (sequenceId !== undefined) wanderer.lastSequenceId = Number(sequenceId);
      }
    } catch {
      this.#sockets.delete(wanderer.raw);
      this.#leave(wanderer);
    }
  }

  #vanish(): void {
    const wanderer = this.#any(this.#here);
    if (wanderer === undefined) return;
    wanderer.raw.reset();
    this.#sockets.delete(wanderer.raw);
    this.#leave(wanderer);
  }

  #leave(wanderer: Wanderer): void {
    const at = this.#here.indexOf(wanderer);
    if (at < 0) return;
    this.#here.splice(at, 1);
    this.#gone.push(wanderer);
    if (this.#gone.length > MOST_REMEMBERED) this.#gone.shift();
  }

  /** Some messages to somebody who is here, is gone, or never was. */
  #send(): void {
    const sender = this.#any(this.#here);
    const receiver = this.#any(this.#isLucky(0.6) ? this.#here : this.#gone);
    const to = this.#isLucky(0.2) ? `nobody-has-this-id-${this.#random.below(1000)}` : receiver?.id;
    if (sender === undefined || to === undefined) return;
    for (let left = this.#random.below(MOST_AT_ONCE); left > 0; left--) {
      const ackId = this.#isLucky(0.5) ? `,"ackId":${this.#random.below(1_000_000)}` : "";
      const data = DATA.subarray(0, this.#random.below(MOST_BYTES));
      sender.raw.largeText(`{"type":"send","to":"${to}","data":"`, data, `"${ackId}}`);
    }
  }

  /** All, some or nothing of what has come. */
  #acknowledge(): void {
    const wanderer = this.#any(this.#here);
    if (wanderer === undefined || this.#isLucky(0.3)) return;
    const sequenceId = this.#isLucky(0.7) ? wanderer.lastSequenceId : this.#random.below(wanderer.lastSequenceId + 1);
    wanderer.raw.text(`{"type":"sequenceAck","sequenceId":${sequenceId}}`);
  }

  /** A room or a watch, in a frame that is much larger than its name. */
  #name(): void {
    const padding = SPACES.subarray(0, this.#random.below(MOST_BYTES));
    const name = `a-name-of-some-length-${this.#random.below(2000)}`;
    const command = this.#isLucky(0.5) ? `"type":"join","room":"${name}"` : `"type":"watch","id":"${name}"`;
    this.#any(this.#here)?.raw.largeText(`{${command}`, padding, "}");
  }

  #readOrNot(): void {
    const raw = this.#any(this.#here)?.raw;
    if (this.#isLucky(0.6)) raw?.resume();
    else raw?.pause();
  }

  #isLucky(chance: number): boolean {
    return this.#random.next() < chance;
  }

  #any(wanderers: readonly Wanderer[]): Wanderer | undefined {
    return wanderers.length === 0 ? undefined : wanderers[this.#random.below(wanderers.length)];
  }
}
