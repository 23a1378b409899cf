import { type Client, openClient } from "./client.ts";
import { type LogLine, Process, type StartOptions } from "./process.ts";
import { type Answer, type HandshakeOptions, handshake, openTcp, type RawClient } from "./raw.ts";
import type { Program } from "./runtimes.ts";
import { within } from "./wait.ts";

export interface ConnectOptions {
  /** Connects with `?from=1`: deliveries to the client name their sender. */
  readonly withSender?: boolean;
}

/** Relay that serves. */
export class Server {
  readonly process: Process;
  readonly port: number;
  #registrar: Promise<Client> | undefined;
  /** Callbacks for the ids that were asked for, by question. */
  readonly #questions = new Map<string, (id: string) => void>();
  #counter = 0;

  constructor(process: Process, port: number) {
    this.process = process;
    this.port = port;
  }

  /** Returns the address of a path, for `fetch`. */
  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Connects a client that doesn't know its id. */
  open(path = "/ws", protocols: readonly string[] = []): Promise<Client> {
    return openClient(`ws://127.0.0.1:${this.port}${path}`, protocols);
  }

  /** Connects a client that knows its id. */
  async connect({ withSender = false }: ConnectOptions = {}): Promise<Client> {
    await this.openRegistrar();
    const client = await this.open(withSender ? "/ws?from=1" : "/ws");
    client.id = await this.#askId((frame) => client.send(frame));
    return client;
  }

  /** Connects a raw client. @returns The client, past its handshake, and its id. */
  async connectRaw(): Promise<{ readonly raw: RawClient; readonly id: string }> {
    await this.openRegistrar();
    const raw = await this.openRaw();
    return { raw, id: await this.#askId((frame) => raw.text(frame)) };
  }

  /** Sends a handshake, and resets the connection after the answer. @returns The answer. */
  async tryHandshake(path: string): Promise<Answer> {
    const raw = await openTcp(this.port);
    raw.write(handshake({ path }));
    const answer = await raw.answer();
    raw.reset();
    return answer;
  }

  /** Connects a raw client. @returns The client, past its handshake. */
  async openRaw(options: HandshakeOptions = {}): Promise<RawClient> {
    const raw = await openTcp(this.port);
    raw.write(handshake(options));
    const { status } = await raw.answer();
    if (status !== 101) throw new Error(`The handshake was answered with ${status}`);
    return raw;
  }

  /** Waits until the log says that the client with this id has left. @returns The line of the log. */
  untilLeft(id: string, patienceMs?: number): Promise<LogLine> {
    const hasLeft = (line: LogLine): boolean => line.id === id && line.message.startsWith("left");
    return this.process.log.find(hasLeft, `${id} to leave`, patienceMs);
  }

  /** Sends a message from one new client to another. @throws {Error} When it doesn't arrive. */
  async relayOne(): Promise<void> {
    this.process.expectAlive();
    const [one, two] = await Promise.all([this.connect(), this.connect()]);
    const message = `still here ${++this.#counter}`;
    one.send(`${two.id}:${message}`);
    const received = await two.next();
    if (received !== message) throw new Error(`Sent ${message}, received ${received}`);
    await Promise.all([one.close(), two.close()]);
  }

  /**
   * Finds out a client's id. The relay doesn't tell it to a plain client. So the client sends to the registrar, whose
   * deliveries name their sender.
   */
  async #askId(send: (frame: string) => void): Promise<string> {
    const question = `who am I, ${++this.#counter}`;
    const answer = new Promise<string>((resolve) => this.#questions.set(question, resolve));
    send(`1:${question}`);
    return within(answer, "the registrar to answer with a client's id");
  }

  /** Connects the registrar, once. It has to be the server's first client: its id is 1. */
  async openRegistrar(): Promise<void> {
    this.#registrar ??= openClient(`ws://127.0.0.1:${this.port}/ws?from=1`, [], (message) => {
      const [, id = "", question = ""] = /^([^:]+):(.+)$/.exec(String(message)) ?? [];
      this.#questions.get(question)?.(id);
      this.#questions.delete(question);
    });
    await this.#registrar;
  }
}

/** Starts a relay, and waits until it listens. */
export async function startServer(program: Program, options: StartOptions = {}): Promise<Server> {
  const started = new Process(program, options);
  try {
    return new Server(started, await started.untilListening());
  } catch (error) {
    started.kill();
    throw error;
  }
}
