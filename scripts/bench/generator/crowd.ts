import type { Figures } from "../round.ts";
import { cpuMs, machineCpuMs, memoryOf } from "../usage.ts";
import { openBeside } from "./beside.ts";
import { Client } from "./client.ts";
import { type Dialect, type DialectName, dialectOf } from "./dialects.ts";
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

/** All clients of one server, and the measurements of it. */
export class Crowd {
  readonly pid: number;
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

  /** Opens clients one after the other, so that their ids are known, and checks each id. Call it before `openIdle`. */
  async open(count: number): Promise<Client[]> {
    const opened: Client[] = [];
    for (let i = 0; i < count; i++) {
      const client = this.#add();
      await this.#orFailure(client.open());
      opened.push(client);
    }
    for (const client of opened) await this.#orFailure(client.checkId());
    return opened;
  }

  /** Joins the clients to one room, one after the other. */
  async join(clients: readonly Client[]): Promise<void> {
    for (const client of clients) await this.#orFailure(client.join());
  }

  /** Opens clients that only answer the heartbeat, as fast as the server accepts. @returns Connections a second. */
  async openIdle(count: number): Promise<number> {
    const start = performance.now();
    let left = count;
    const worker = async (): Promise<void> => {
      while (left > 0) {
        left--;
        await this.#orFailure(this.#add().open());
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT }, worker));
    return count / ((performance.now() - start) / 1000);
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
      onFailure: (failure) => {
        this.#failure ??= failure;
      },
    });
  }

  /** Waits for the step. @throws {Error} When a client fails, or after 10 s. */
  async #orFailure(step: Promise<void>): Promise<void> {
    let timer: ReturnType<typeof setInterval> | undefined;
    const failure = new Promise<never>((_resolve, reject) => {
      let waits = 0;
      timer = setInterval(() => {
        waits += 1;
        if (this.#failure !== undefined) reject(new Error(this.#failure));
        else if (waits > 100) reject(new Error("The server did not answer within 10 s"));
      }, 100);
    });
    try {
      await Promise.race([step, failure]);
    } finally {
      clearInterval(timer);
    }
  }
}
