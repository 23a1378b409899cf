import { type Client, openClient } from "./client.ts";
import type { RawClient } from "./raw.ts";
import type { Server } from "./server.ts";

export const JSON_PROTOCOL = "relay.v1.json";

/** One frame of `relay.v1.json`, as it came. */
export interface JsonFrame {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The first frame that a client gets. */
export interface Welcome extends JsonFrame {
  readonly id: string;
  readonly resumeToken: string;
  readonly resumed: boolean;
  readonly recovered: boolean;
}

export interface JsonOptions {
  /** The token of the session to go on with. */
  readonly resume?: string;
  /** Where to connect, in place of the server itself. */
  readonly port?: number;
}

/** A client of `relay.v1.json` past its welcome. It acknowledges nothing by itself. */
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

  /** Sends what may be no frame at all. */
  sendRaw(message: string | Uint8Array): void {
    this.#client.send(message);
  }

  /** The next frame. The relay's pings are answered and left out. */
  async next(): Promise<JsonFrame> {
    for (;;) {
      const frame = readFrame(await this.#client.next());
      if (frame.type !== "ping") return frame;
      this.send({ type: "pong" });
    }
  }

  /** Sends the frame with the next `ackId`. @returns What became of it, which must be the next that comes. */
  async ask(frame: object): Promise<Record<string, unknown>> {
    const expected = ++this.#lastAckId;
    this.send({ ...frame, ackId: expected });
    const { type, ackId, ...outcome } = await this.next();
    if (type === "ack" && ackId === expected) return outcome;
    throw new Error(`Expected the ack ${expected}, got ${JSON.stringify({ type, ackId, ...outcome })}`);
  }

  /** Has the relay done all that this client asked so far? Nothing else may come before the answer. */
  async nextIsOwn(): Promise<boolean> {
    this.send({ type: "ping" });
    return (await this.next()).type === "pong";
  }

  /** Says that all messages up to this one arrived, and waits until the relay knows. */
  async acknowledge(sequenceId: number): Promise<void> {
    this.send({ type: "sequenceAck", sequenceId });
    if (!(await this.nextIsOwn())) throw new Error("Something came before the answer to a ping");
  }

  /** Loses the connection: TCP ends without a close frame. */
  drop(): void {
    this.#client.drop();
  }

  end(): ReturnType<Client["end"]> {
    return this.#client.end();
  }

  close(code?: number): ReturnType<Client["close"]> {
    return this.#client.close(code);
  }
}

/** A client that speaks `relay.v1.json`, past its welcome. */
export async function connectJson(server: Server, { resume, port }: JsonOptions = {}): Promise<JsonClient> {
  await server.openRegistrar();
  const path = resume === undefined ? "/ws" : `/ws?resume=${resume}`;
  return openJson(`ws://127.0.0.1:${port ?? server.port}${path}`);
}

/** A client of the relay at this address, wherever it is mounted, past its welcome. */
export async function openJson(url: string): Promise<JsonClient> {
  const client = await openClient(url, [JSON_PROTOCOL]);
  return new JsonClient(client, readWelcome(await client.next()));
}

/** A client that speaks `relay.v1.json` by hand: it answers no ping and no close. */
export async function connectRawJson(
  server: Server,
  resume?: string,
): Promise<{ readonly raw: RawClient; readonly welcome: Welcome }> {
  await server.openRegistrar();
  const path = resume === undefined ? "/ws" : `/ws?resume=${resume}`;
  const raw = await server.openRaw({ path, headers: { "Sec-WebSocket-Protocol": JSON_PROTOCOL } });
  return { raw, welcome: readWelcome(await raw.next()) };
}

/** A client that is told when the id comes and goes. */
export async function connectWatcher(server: Server, id: string): Promise<JsonClient> {
  const watcher = await connectJson(server);
  const outcome = await watcher.ask({ type: "watch", id });
  const { event } = await watcher.next();
  if (outcome.outcome !== "done" || event !== "online") throw new Error(`Cannot watch ${id}: it is ${event}`);
  return watcher;
}

/** Has the client lose its connection, and waits until the relay knows. @returns Who watched it. */
export async function loseConnection(server: Server, client: JsonClient): Promise<JsonClient> {
  const watcher = await connectWatcher(server, client.id);
  client.drop();
  const frame = await watcher.next();
  if (frame.event !== "offline") throw new Error(`Expected ${client.id} to go offline, got ${JSON.stringify(frame)}`);
  return watcher;
}

/** The numbers, and the data, of the next messages of a client. */
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

/** A frame's fields. */
export function readFrame(message: string | Buffer): JsonFrame {
  if (typeof message !== "string") throw new Error("A frame of relay.v1.json is text");
  // What has no type fails where the test compares it.
  return JSON.parse(message) as JsonFrame;
}

function readWelcome(message: string | Buffer): Welcome {
  const frame = readFrame(message);
  if (frame.type !== "welcome") throw new Error(`Expected a welcome, got ${frame.type}`);
  // The test of the welcome says so.
  return frame as Welcome;
}
