import type { Figures } from "../round.ts";
import { cpuMs, machineCpuMs, memoryOf } from "../usage.ts";
import { openBeside } from "./beside.ts";
import { Client } from "./client.ts";
import { type Dialect, type DialectName, dialectOf } from "./dialects.ts";
import { sleep } from "./pace.ts";
import type { Connect } from "./wire.ts";

export interface CrowdOptions {
  readonly port: number;
  /** Id of the server's process. */
  readonly pid: number;
  readonly dialect: DialectName;
  readonly connect: Connect;
}

/** Concurrent upgrades, where the order of the ids doesn't matter. */
const CONCURRENT = 64;
const STEP_LIMIT_MS = 10_000;
const OPEN_LIMIT_MS = 120_000;
const CHECK_MS = 100;

/** A server is quiet where it uses less than this part of its core for this long. */
const QUIET = { percent: 10, ms: 500 };
const MAX_WAITS_FOR_QUIET = 60;

/** All clients of one server, and the measurements of it. */
export class Crowd {
  readonly pid: number;
  /** Counts what happens on the wires of all clients. */
  readonly activity = { events: 0 };
  readonly #options: CrowdOptions;
  readonly #clients: Client[] = [];
  readonly #dialect: Dialect;
  #dropped = 0;
  /** Id of the process that holds idle connections; 0 where there is none. */
  #besidePid = 0;
  #failure: string | undefined = undefined;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#dialect = dialectOf(options.dialect);
    this.pid = options.pid;
  }

  /** Whether the server keeps messages for a client that lost its connection and comes back. */
  get keepsMail(): boolean {
    return this.#dialect.resuming !== undefined;
  }

  /** Opens clients one after the other, so that their ids are known, and checks each id. Call it before `openIdle`. */
  async open(count: number): Promise<Client[]> {
    const opened: Client[] = [];
    for (let i = 0; i < count; i++) {
      const client = this.#add();
      await this.#orFailure(client.open());
      opened.push(client);
    }
    for (const client of opened) await this.check(client);
    return opened;
  }

  /** Checks that the client has its id. The server has handled all that the client sent before. */
  check(client: Client): Promise<void> {
    return this.#orFailure(client.checkId());
  }

  /** Drops the connections. @returns The clients that come back for these, in the same order. They are not open yet. */
  drop(clients: readonly Client[]): Client[] {
    return clients.map((client) => {
      client.end();
      const successor = client.successor();
      this.#clients[client.index] = successor;
      return successor;
    });
  }

  /** Waits until the server has nothing left to do. @throws {Error} When it has after 30 s. */
  async untilQuiet(): Promise<void> {
    for (let waits = 0; waits < MAX_WAITS_FOR_QUIET; waits++) {
      const before = cpuMs(this.pid);
      await sleep(QUIET.ms);
      if (cpuMs(this.pid) - before < (QUIET.ms * QUIET.percent) / 100) return;
    }
    throw new Error("The server did not come to rest within 30 s");
  }

  /** Joins the clients to one room, one after the other. */
  async join(clients: readonly Client[]): Promise<void> {
    for (const client of clients) await this.#orFailure(client.join());
  }

  /** Opens clients that only answer the heartbeat, as fast as the server accepts. @returns Connections a second. */
  async openIdle(count: number): Promise<number> {
    const clients = Array.from({ length: count }, () => this.#add());
    const start = performance.now();
    const isOpen = await this.openAll(clients, CONCURRENT, OPEN_LIMIT_MS);
    if (!isOpen) throw new Error(`The server did not accept ${count} clients within ${OPEN_LIMIT_MS / 1000} s`);
    return count / ((performance.now() - start) / 1000);
  }

  /**
   * Opens the clients, this many at a time, as fast as the server accepts.
   *
   * @returns Whether all are open; false after `limitMs`.
   */
  openAll(clients: readonly Client[], concurrent: number, limitMs: number): Promise<boolean> {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let client = clients[next++]; client !== undefined; client = clients[next++]) await client.open();
    };
    const all = Promise.all(Array.from({ length: concurrent }, worker)).then(() => true);
    const limit = sleep(limitMs).then(() => {
      next = clients.length;
      return false;
    });
    return this.#orFailure(Promise.race([all, limit]), Number.POSITIVE_INFINITY);
  }

  /** Opens one client, and drops it when the server accepts messages from it. Never ends where the server refuses. */
  async openAndDrop(): Promise<void> {
    const client = this.#create(this.#dropped++);
    await client.open();
    client.end();
  }

  /** Opens clients that only answer the heartbeat, in a process of their own. Call it once. */
  async openIdleBeside(connections: number): Promise<void> {
    const { port, dialect } = this.#options;
    this.#besidePid = await openBeside({ port, dialect, connections });
  }

  /** Drops all connections. */
  end(): void {
    for (const client of this.#clients) client.end();
    this.#clients.length = 0;
  }

  /**
   * Starts to measure the server.
   *
   * @returns A function that ends the measurement. It takes the count of messages since the start, and returns the
   *   figures of MESSAGE_COLUMNS. It throws when any client has lost its connection or received an unexpected frame.
   */
  measure(): (messages: number) => Figures {
    const { pid } = this.#options;
    const cpuBefore = cpuMs(pid);
    const besideBefore = this.#besideMs();
    const machineBefore = machineCpuMs();
    const ownBefore = process.cpuUsage();
    const start = performance.now();
    return (messages) => {
      const elapsedMs = performance.now() - start;
      const serverMs = cpuMs(pid) - cpuBefore;
      const besideMs = this.#besideMs() - besideBefore;
      const own = process.cpuUsage(ownBefore);
      const ownMs = (own.user + own.system) / 1000;
      const othersMs = Math.max(0, machineCpuMs() - machineBefore - serverMs - ownMs - besideMs);
      if (this.#failure !== undefined) throw new Error(this.#failure);
      return {
        messagesPerSecond: (messages / elapsedMs) * 1000,
        serverCpuUs: (serverMs * 1000) / messages,
        serverBusy: (serverMs / elapsedMs) * 100,
        generatorBusy: (ownMs / elapsedMs) * 100,
        othersBusy: (othersMs / elapsedMs) * 100,
        rssMib: memoryOf(pid).rssKib / 1024,
      };
    };
  }

  #besideMs(): number {
    return this.#besidePid === 0 ? 0 : cpuMs(this.#besidePid);
  }

  #add(): Client {
    const client = this.#create(this.#clients.length);
    this.#clients.push(client);
    return client;
  }

  #create(index: number): Client {
    const { port, connect } = this.#options;
    return new Client({
      port,
      dialect: this.#dialect,
      connect,
      index,
      activity: this.activity,
      onFailure: (failure) => {
        this.#failure ??= failure;
      },
    });
  }

  /** Waits for the step. @throws {Error} When a client fails, or after the limit. */
  async #orFailure<T>(step: Promise<T>, limitMs = STEP_LIMIT_MS): Promise<T> {
    let timer: ReturnType<typeof setInterval> | undefined;
    const failure = new Promise<never>((_resolve, reject) => {
      let waits = 0;
      timer = setInterval(() => {
        waits += 1;
        if (this.#failure !== undefined) reject(new Error(this.#failure));
        else if (waits * CHECK_MS > limitMs) reject(new Error(`The server did not answer within ${limitMs / 1000} s`));
      }, CHECK_MS);
    });
    try {
      return await Promise.race([step, failure]);
    } finally {
      clearInterval(timer);
    }
  }
}
