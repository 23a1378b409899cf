import { connectRawJson, JSON_PROTOCOL } from "../conformance/json-client.ts";
import type { RawClient } from "../conformance/raw.ts";
import type { Server } from "../conformance/server.ts";
import type { Random } from "./random.ts";

/** Longer than any test: a client that reads nothing waits for its next frame until the end. */
const FOREVER_MS = 0x7fff_ffff;
const MAX_CONNECTIONS = 100;
const MAX_REMEMBERED = 2000;
const MAX_BYTES = 60_000;
const MAX_BURST = 8;
/** Each message's data, and each frame's padding, is a part of these. */
const DATA = Buffer.alloc(MAX_BYTES, "x");
const SPACES = Buffer.alloc(MAX_BYTES, " ");

/** Session of one client. */
interface ClientSession {
  readonly id: string;
  readonly token: string;
  readonly raw: RawClient;
  lastSequenceId: number;
}

type Step = () => void | Promise<void>;

/**
 * Clients of relay.v1.json that take random steps: they connect, drop their connection, resume, send, acknowledge,
 * join, watch, and stop reading.
 */
export class RandomClients {
  readonly #server: Server;
  readonly #random: Random;
  readonly #connected: ClientSession[] = [];
  /** Sessions whose connection has ended, and whose token may still be valid. */
  readonly #away: ClientSession[] = [];
  /** Steps to pick from; a frequent step is there several times. */
  readonly #steps: readonly [Step, ...Step[]];
  /** Most connections that were open at once, with those that the relay has not dropped yet. */
  peakConnections = 0;
  readonly #sockets = new Set<RawClient>();

  constructor(server: Server, random: Random) {
    this.#server = server;
    this.#random = random;
    const repeat = (step: Step, times: number): Step[] => Array.from({ length: times }, () => step);
    this.#steps = [
      () => this.#connect(),
      ...repeat(() => this.#connect(), 2),
      ...repeat(() => this.#resume(), 3),
      ...repeat(() => this.#drop(), 3),
      ...repeat(() => this.#send(), 24),
      ...repeat(() => this.#acknowledge(), 6),
      ...repeat(() => this.#joinOrWatch(), 4),
      ...repeat(() => this.#pauseOrRead(), 2),
    ];
  }

  /** Takes a random step with a random client. */
  async step(): Promise<void> {
    await this.#random.pick(this.#steps)();
  }

  /** Resets all connections. */
  reset(): void {
    for (const raw of this.#sockets) raw.reset();
  }

  async #connect(): Promise<void> {
    if (this.#connected.length >= MAX_CONNECTIONS) return this.#drop();
    this.#add(await connectRawJson(this.#server));
  }

  /** Connects with a token that is valid or used up, of a session that is away or has another connection. */
  async #resume(): Promise<void> {
    const session = this.#pick(this.#isLucky(0.7) ? this.#away : this.#connected);
    if (session === undefined || this.#connected.length >= MAX_CONNECTIONS) return this.#drop();
    const raw = await this.#server.openRaw({
      path: `/ws?resume=${session.token}`,
      headers: { "Sec-WebSocket-Protocol": JSON_PROTOCOL },
    });
    this.#add({ raw, welcome: JSON.parse(String(await raw.next())) });
  }

  #add({ raw, welcome }: { readonly raw: RawClient; readonly welcome: { id: string; resumeToken: string } }): void {
    const session: ClientSession = { id: welcome.id, token: welcome.resumeToken, raw, lastSequenceId: 0 };
    this.#connected.push(session);
    this.#sockets.add(raw);
    this.peakConnections = Math.max(this.peakConnections, this.#sockets.size);
    // A third of the clients never read.
    if (this.#isLucky(0.33)) raw.pause();
    this.#read(session);
  }

  /** Reads frames until the connection ends. */
  async #read(session: ClientSession): Promise<void> {
    try {
      for (;;) {
        const frame = String(await session.raw.next(FOREVER_MS));
        const sequenceId = /"sequenceId":(\d+)\}$/.exec(frame.slice(-40))?.[1];
        if (sequenceId !== undefined) session.lastSequenceId = Number(sequenceId);
      }
    } catch {
      this.#sockets.delete(session.raw);
      this.#moveAway(session);
    }
  }

  #drop(): void {
    const session = this.#pick(this.#connected);
    if (session === undefined) return;
    session.raw.reset();
    this.#sockets.delete(session.raw);
    this.#moveAway(session);
  }

  #moveAway(session: ClientSession): void {
    const index = this.#connected.indexOf(session);
    if (index < 0) return;
    this.#connected.splice(index, 1);
    this.#away.push(session);
    if (this.#away.length > MAX_REMEMBERED) this.#away.shift();
  }

  /** Sends some messages to a client that is connected, is away, or never existed. */
  #send(): void {
    const sender = this.#pick(this.#connected);
    const receiver = this.#pick(this.#isLucky(0.6) ? this.#connected : this.#away);
    const to = this.#isLucky(0.2) ? `nobody-has-this-id-${this.#random.below(1000)}` : receiver?.id;
    if (sender === undefined || to === undefined) return;
    for (let messagesLeft = this.#random.below(MAX_BURST); messagesLeft > 0; messagesLeft--) {
      const ackId = this.#isLucky(0.5) ? `,"ackId":${this.#random.below(1_000_000)}` : "";
      const data = DATA.subarray(0, this.#random.below(MAX_BYTES));
      sender.raw.largeText(`{"type":"send","to":"${to}","data":"`, data, `"${ackId}}`);
    }
  }

  /** Acknowledges all, some or none of the received messages. */
  #acknowledge(): void {
    const session = this.#pick(this.#connected);
    if (session === undefined || this.#isLucky(0.3)) return;
    const sequenceId = this.#isLucky(0.7) ? session.lastSequenceId : this.#random.below(session.lastSequenceId + 1);
    session.raw.text(`{"type":"sequenceAck","sequenceId":${sequenceId}}`);
  }

  /** Joins a room or watches an id, in a frame that is much larger than the name in it. */
  #joinOrWatch(): void {
    const padding = SPACES.subarray(0, this.#random.below(MAX_BYTES));
    const name = `a-name-of-some-length-${this.#random.below(2000)}`;
    const command = this.#isLucky(0.5) ? `"type":"join","room":"${name}"` : `"type":"watch","id":"${name}"`;
    this.#pick(this.#connected)?.raw.largeText(`{${command}`, padding, "}");
  }

  #pauseOrRead(): void {
    const raw = this.#pick(this.#connected)?.raw;
    if (this.#isLucky(0.6)) raw?.resume();
    else raw?.pause();
  }

  #isLucky(chance: number): boolean {
    return this.#random.next() < chance;
  }

  #pick(sessions: readonly ClientSession[]): ClientSession | undefined {
    return sessions.length === 0 ? undefined : sessions[this.#random.below(sessions.length)];
  }
}
