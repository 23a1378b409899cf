import { type Client, openClient } from "./client.ts";
import { type LogLine, Process, type StartOptions } from "./process.ts";
import { type Answer, type HandshakeOptions, handshake, openTcp, type RawClient } from "./raw.ts";
import type { Program } from "./runtimes.ts";
import { within } from "./wait.ts";

export interface ConnectOptions {
  /** Deliveries to the client name their sender. */
  readonly withSender?: boolean;
}

/** A relay that serves. */
export class Server {
  readonly process: Process;
  readonly port: number;
  #registrar: Promise<Client> | undefined;
  readonly #questions = new Map<string, (id: string) => void>();
  #asked = 0;

  constructor(process: Process, port: number) {
    this.process = process;
    this.port = port;
  }

  /** The address of a path, for `fetch`. */
  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** A client that does not ask for its id. */
  open(path = "/ws", protocols: readonly string[] = []): Promise<Client> {
    return openClient(`ws://127.0.0.1:${this.port}${path}`, protocols);
  }

  /** A client that knows its id. */
  async connect({ withSender = false }: ConnectOptions = {}): Promise<Client> {
    await this.openRegistrar();
    const client = await this.open(withSender ? "/ws?from=1" : "/ws");
    client.id = await this.#askId((frame) => client.send(frame));
    return client;
  }

  /** A client that speaks by hand, past its handshake, and its id. */
  async connectRaw(): Promise<{ readonly raw: RawClient; readonly id: string }> {
    await this.openRegistrar();
    const raw = await this.openRaw();
    return { raw, id: await this.#askId((frame) => raw.text(frame)) };
  }

  /** Asks for a connection, and leaves. @returns The answer. */
  async ask(path: string): Promise<Answer> {
    const raw = await openTcp(this.port);
    raw.write(handshake({ path }));
    const answer = await raw.answer();
    raw.reset();
    return answer;
  }

  /** A client that speaks by hand, past its handshake. */
  async openRaw(options: HandshakeOptions = {}): Promise<RawClient> {
    const raw = await openTcp(this.port);
    raw.write(handshake(options));
    const { status } = await raw.answer();
    if (status !== 101) throw new Error(`The handshake was answered with ${status}`);
    return raw;
  }

  /** Waits until the log says that the client with this id has left. @returns That line. */
  left(id: string, patienceMs?: number): Promise<LogLine> {
    const isIt = (line: LogLine): boolean => line.id === id && line.message.startsWith("left");
    return this.process.log.find(isIt, `${id} to leave`, patienceMs);
  }

  /** Relays one message between two good clients. @throws {Error} When the relay no longer does. */
  async relayOne(): Promise<void> {
    this.process.expectAlive();
    const [one, two] = await Promise.all([this.connect(), this.connect()]);
    const message = `still here ${++this.#asked}`;
    one.send(`${two.id}:${message}`);
    const received = await two.next();
    if (received !== message) throw new Error(`Sent ${message}, received ${received}`);
    await Promise.all([one.close(), two.close()]);
  }

  /**
   * Nobody tells a plain client its id. So the first client of a server, 1, asks for the sender of what it receives, and
   * tells the others.
   */
  async #askId(send: (frame: string) => void): Promise<string> {
    const question = `who am I, ${++this.#asked}`;
    const answer = new Promise<string>((resolve) => this.#questions.set(question, resolve));
    send(`1:${question}`);
    return within(answer, "a client's id, from the client that was the first of this server");
  }

  /** Has the first client connect; before any other, and once. */
  async openRegistrar(): Promise<void> {
    this.#registrar ??= openClient(`ws://127.0.0.1:${this.port}/ws?from=1`, [], (message) => {
      const [, id = "", question = ""] = /^([^:]+):(.+)$/.exec(String(message)) ?? [];
      this.#questions.get(question)?.(id);
      this.#questions.delete(question);
    });
    await this.#registrar;
  }
}

/** Starts a relay that serves. */
export async function startServer(program: Program, options: StartOptions = {}): Promise<Server> {
  const started = new Process(program, options);
  try {
    return new Server(started, await started.listening());
  } catch (error) {
    started.kill();
    throw error;
  }
}
