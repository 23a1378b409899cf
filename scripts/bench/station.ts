import { Child } from "./child.ts";
import type { Order, Reply } from "./generator/orders.ts";
import type { Load } from "./loads/load.ts";
import type { Machine } from "./machine.ts";
import { ROOT } from "./paths.ts";
import type { Figures, RoundOptions } from "./round.ts";
import type { Subject } from "./subjects.ts";

const LISTENING = /^listening on http:\/\/\S+:(\d+)$/;

/** Runtime of the generator. */
export type GeneratorRuntime = "bun" | "node";

/** Server of one subject, and the generator that puts one load on it. */
export class Station {
  readonly subject: Subject;
  /** Saturating rate of the server in messages a second; 0 where the load doesn't measure it. */
  readonly saturatingRate: number;
  readonly #server: Child;
  readonly #generator: Child;

  private constructor(subject: Subject, server: Child, generator: Child, saturatingRate: number) {
    this.subject = subject;
    this.#server = server;
    this.#generator = generator;
    this.saturatingRate = saturatingRate;
  }

  /** Starts the server, opens the load's connections and warms the server up. @throws {Error} When a step fails. */
  static async open(machine: Machine, subject: Subject, load: Load, runtime: GeneratorRuntime): Promise<Station> {
    const server = new Child(machine, {
      name: `${load.name}-${subject.name}`,
      place: "server",
      command: subject.command,
      folder: subject.folder,
      env: { PORT: "0", ...load.settings },
    });
    let generator: Child | undefined;
    try {
      const port = await portOf(server);
      generator = new Child(machine, {
        name: `${load.name}-${subject.name}-generator`,
        place: "generator",
        command: generatorCommand(machine, runtime),
        folder: ROOT,
      });
      const reply = await ask(generator, {
        type: "prepare",
        load: load.name,
        dialect: load.dialects?.[subject.dialect] ?? subject.dialect,
        port,
        pid: server.pid,
      });
      return new Station(subject, server, generator, reply.type === "prepared" ? reply.saturatingRate : 0);
    } catch (error) {
      await generator?.stop();
      await server.stop();
      throw error;
    }
  }

  async round(options: RoundOptions): Promise<Figures> {
    const reply = await ask(this.#generator, { type: "round", ...options });
    return reply.type === "figures" ? reply.figures : {};
  }

  async close(): Promise<void> {
    await this.#generator.stop();
    await this.#server.stop();
  }
}

async function portOf(server: Child): Promise<number> {
  for (;;) {
    const match = LISTENING.exec(await server.readLine());
    if (match !== null) return Number(match[1]);
  }
}

async function ask(generator: Child, order: Order): Promise<Reply> {
  generator.writeLine(JSON.stringify(order));
  // The generator writes replies only.
  const reply = JSON.parse(await generator.readLine()) as Reply;
  if (reply.type === "failed") throw new Error(reply.reason);
  return reply;
}

function generatorCommand(machine: Machine, runtime: GeneratorRuntime): string[] {
  const file = "scripts/bench/generator/main.ts";
  if (runtime === "bun" && machine.bun !== undefined) return [machine.bun, "run", file];
  return [machine.node, "--import", "tsx", file];
}
