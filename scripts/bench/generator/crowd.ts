import type { Figures } from "../round.ts";
import { cpuMs, machineCpuMs, memoryOf } from "../usage.ts";
import { openBeside } from "./beside.ts";
import { Client } from "./client.ts";
import { type Dialect, type DialectName, dialectOf } from "./dialects.ts";
import type { Connect } from "./wire.ts";

export interface CrowdOptions {
  readonly port: number;
  /** The server's process. */
  readonly pid: number;
  readonly dialect: DialectName;
  readonly connect: Connect;
}

/** Upgrades under way at the same time, where the order of the ids does not matter. */
const CONCURRENT = 64;

/** All clients of one server, and the clock that measures it. */
export class Crowd {
  readonly pid: number;
  readonly #options: CrowdOptions;
  readonly #clients: Client[] = [];
  readonly #dialect: Dialect;
  /** The process that holds idle connections beside this one; 0 where there is none. */
  #beside = 0;
  #trouble: string | undefined = undefined;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#dialect = dialectOf(options.dialect);
    this.pid = options.pid;
  }

  /** Opens clients that know each other's ids: one after the other, each checked. To be called before `openIdle`. */
  async open(count: number): Promise<Client[]> {
    const opened: Client[] = [];
    for (let i = 0; i < count; i++) {
      const client = this.#add();
      await this.#orTrouble(client.open());
      opened.push(client);
    }
    for (const client of opened) await this.#orTrouble(client.checkId());
    return opened;
  }

  /** Makes the clients members of one room, one after the other. */
  async join(clients: readonly Client[]): Promise<void> {
    for (const client of clients) await this.#orTrouble(client.join());
  }

  /** Opens clients that only answer the heartbeat, as fast as the server takes them. @returns Connections a second. */
  async openIdle(count: number): Promise<number> {
    const start = performance.now();
    let left = count;
    const worker = async (): Promise<void> => {
      while (left > 0) {
        left--;
        await this.#orTrouble(this.#add().open());
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT }, worker));
    return count / ((performance.now() - start) / 1000);
  }

  /** Opens clients that only answer the heartbeat, in a process of their own. To be called once. */
  async openIdleBeside(connections: number): Promise<void> {
    const { port, dialect } = this.#options;
    this.#beside = await openBeside({ port, dialect, connections });
  }

  /** Drops all connections. */
  end(): void {
    for (const client of this.#clients) client.end();
    this.#clients.length = 0;
  }

  /**
   * Measures the server from now on.
   *
   * @returns What ends the measurement: given the messages of that time, the figures of MESSAGE_COLUMNS.
   * @throws {Error} When a client lost its connection or was told something unexpected since it was opened.
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
      if (this.#trouble !== undefined) throw new Error(this.#trouble);
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
    return this.#beside === 0 ? 0 : cpuMs(this.#beside);
  }

  #add(): Client {
    const { port, connect } = this.#options;
    const client = new Client({
      port,
      dialect: this.#dialect,
      connect,
      index: this.#clients.length,
      onTrouble: (trouble) => {
        this.#trouble ??= trouble;
      },
    });
    this.#clients.push(client);
    return client;
  }

  async #orTrouble(step: Promise<void>): Promise<void> {
    let timer: ReturnType<typeof setInterval> | undefined;
    const trouble = new Promise<never>((_resolve, reject) => {
      let waited = 0;
      timer = setInterval(() => {
        waited += 1;
        if (this.#trouble !== undefined) reject(new Error(this.#trouble));
        else if (waited > 100) reject(new Error("The server did not answer within 10 s"));
      }, 100);
    });
    try {
      await Promise.race([step, trouble]);
    } finally {
      clearInterval(timer);
    }
  }
}
