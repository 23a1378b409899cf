import { type Client, openClient } from "./client.ts";
import type { RawClient } from "./raw.ts";
import type { Server } from "./server.ts";

export const JSON_PROTOCOL = "relay.v1.json";
export const JSON_BYTES_PROTOCOL = "relay.v1.json-bytes";

/** One received frame of `relay.v1.json`. */
export interface JsonFrame {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** First frame that a client receives. */
export interface Welcome extends JsonFrame {
  readonly id: string;
  readonly resumeToken: string;
  readonly resumed: boolean;
  readonly recovered: boolean;
}

export interface JsonOptions {
  /** Resume token of the session to resume. */
  readonly resume?: string;
  /** Port to connect to, such as a proxy's. Default: the server's own. */
  readonly port?: number;
  /** Subprotocol to offer. Default: `relay.v1.json`. */
  readonly protocol?: string;
}

/** Client of `relay.v1.json` that has received its welcome. It acknowledges no message by itself. */
export class JsonClient {
  readonly welcome: Welcome;
  readonly #client: Client;
  #lastAckId = 0;

  constructor(client: Client, welcome: Welcome) {
    this.#client = client;
    this.welcome = welcome;
    client.id = welcome.id;
  }

  get id(): string {
    return this.welcome.id;
  }

  get token(): string {
    return this.welcome.resumeToken;
  }

  send(frame: object): void {
    this.#client.send(JSON.stringify(frame));
  }

  /** Sends a message that may be no valid frame. */
  sendRaw(message: string | Uint8Array): void {
    this.#client.send(message);
  }

  /** Takes the next frame. Answers and skips the relay's pings. */
  async next(): Promise<JsonFrame> {
    for (;;) {
      const frame = readFrame(await this.#client.next());
      if (frame.type !== "ping") return frame;
      this.send({ type: "pong" });
    }
  }

  /** Sends the frame with the next `ackId`. @returns The outcome. @throws {Error} When another frame arrives first. */
  async ask(frame: object): Promise<Record<string, unknown>> {
    const expected = ++this.#lastAckId;
    this.send({ ...frame, ackId: expected });
    const { type, ackId, ...outcome } = await this.next();
    if (type === "ack" && ackId === expected) return outcome;
    throw new Error(`Expected the ack ${expected}, got ${JSON.stringify({ type, ackId, ...outcome })}`);
  }

  /** Sends a ping. @returns Whether its answer is the next frame: nothing else arrived before it. */
  async receivedNothing(): Promise<boolean> {
    this.send({ type: "ping" });
    return (await this.next()).type === "pong";
  }

  /** Acknowledges all messages up to this one, and waits until the relay has processed that. */
  async acknowledge(sequenceId: number): Promise<void> {
    this.send({ type: "sequenceAck", sequenceId });
    if (!(await this.receivedNothing())) throw new Error("A frame arrived before the answer to a ping");
  }

  /** Drops the connection: TCP ends without a close frame. */
  drop(): void {
    this.#client.drop();
  }

  untilClosed(): ReturnType<Client["untilClosed"]> {
    return this.#client.untilClosed();
  }

  close(code?: number): ReturnType<Client["close"]> {
    return this.#client.close(code);
  }
}

/** Connects a client of `relay.v1.json`, and waits for its welcome. */
export async function connectJson(server: Server, { resume, port, protocol }: JsonOptions = {}): Promise<JsonClient> {
  await server.openRegistrar();
  const path = resume === undefined ? "/ws" : `/ws?resume=${resume}`;
  return openJson(`ws://127.0.0.1:${port ?? server.port}${path}`, protocol);
}

/** Connects a client of `relay.v1.json` to this address, and waits for its welcome. */
export async function openJson(url: string, protocol = JSON_PROTOCOL): Promise<JsonClient> {
  const client = await openClient(url, [protocol]);
  return new JsonClient(client, readWelcome(await client.next()));
}

/** Connects a raw client of `relay.v1.json`, and waits for its welcome. It answers no ping and no close frame. */
export async function connectRawJson(
  server: Server,
  resume?: string,
  protocol = JSON_PROTOCOL,
): Promise<{ readonly raw: RawClient; readonly welcome: Welcome }> {
  await server.openRegistrar();
  const path = resume === undefined ? "/ws" : `/ws?resume=${resume}`;
  const raw = await server.openRaw({ path, headers: { "Sec-WebSocket-Protocol": protocol } });
  return { raw, welcome: readWelcome(await raw.next()) };
}

/** Connects a client that watches the id, which must be online. */
export async function connectWatcher(server: Server, id: string): Promise<JsonClient> {
  const watcher = await connectJson(server);
  const outcome = await watcher.ask({ type: "watch", id });
  const { event } = await watcher.next();
  if (outcome.outcome !== "done" || event !== "online") throw new Error(`Cannot watch ${id}: it is ${event}`);
  return watcher;
}

/** Drops the client's connection, and waits until the relay has noticed. @returns The client that watched it. */
export async function loseConnection(server: Server, client: JsonClient): Promise<JsonClient> {
  const watcher = await connectWatcher(server, client.id);
  client.drop();
  const frame = await watcher.next();
  if (frame.event !== "offline") throw new Error(`Expected ${client.id} to go offline, got ${JSON.stringify(frame)}`);
  return watcher;
}

/** Takes the client's next messages. @returns The number and the data of each. */
export async function nextMessages(
  client: JsonClient,
  count: number,
): Promise<(readonly [sequenceId: unknown, data: unknown])[]> {
  const messages: (readonly [unknown, unknown])[] = [];
  while (messages.length < count) {
    const { type, sequenceId, data } = await client.next();
    if (type !== "message") throw new Error(`Expected a message, got ${type}`);
    messages.push([sequenceId, data]);
  }
  return messages;
}

/** Parses a frame. The bytes behind the head of a binary frame are its field `body`. */
export function readFrame(message: string | Buffer): JsonFrame {
  if (typeof message !== "string") {
    const end = message.indexOf("\n");
    return { ...readFrame(message.toString("utf8", 0, end)), body: message.subarray(end + 1) };
  }
  // A frame without a type fails in the test that compares it.
  return JSON.parse(message) as JsonFrame;
}

function readWelcome(message: string | Buffer): Welcome {
  const frame = readFrame(message);
  if (frame.type !== "welcome") throw new Error(`Expected a welcome, got ${frame.type}`);
  // json.test.ts checks that every field is there.
  return frame as Welcome;
}
