import { createInterface } from "node:readline";
import { LOADS } from "../loads/all.ts";
import type { PreparedLoad } from "../loads/load.ts";
import { Crowd } from "./crowd.ts";
import type { Order, Reply } from "./orders.ts";
import type { Connect } from "./wire.ts";

// The generator: it runs one load on one server. Orders and replies are lines of JSON on stdin and stdout. It ends when
// stdin ends.
let prepared: PreparedLoad | undefined;
let crowd: Crowd | undefined;

async function connectOf(): Promise<Connect> {
  if (process.versions.bun !== undefined && process.env.BENCH_WIRE !== "net") {
    return (await import("./bun-wire.ts")).connectBun;
  }
  return (await import("./net-wire.ts")).connectNet;
}

async function execute(order: Order): Promise<Reply> {
  if (order.type === "idle") {
    crowd = new Crowd({ port: order.port, pid: 0, dialect: order.dialect, connect: await connectOf() });
    await crowd.openIdle(order.connections);
    return { type: "holding" };
  }
  if (order.type === "prepare") {
    const load = LOADS.find(({ name }) => name === order.load);
    if (load === undefined) throw new Error(`Cannot prepare the load ${order.load}: there is none`);
    crowd = new Crowd({ port: order.port, pid: order.pid, dialect: order.dialect, connect: await connectOf() });
    prepared = await load.prepare(crowd);
    return { type: "prepared", saturatingRate: prepared.saturatingRate ?? 0 };
  }
  if (prepared === undefined) throw new Error("Cannot run a round: no load is prepared");
  return { type: "figures", figures: await prepared.round(order) };
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply: Reply;
  try {
    // The bench writes orders only.
    reply = await execute(JSON.parse(line) as Order);
  } catch (error) {
    reply = { type: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
crowd?.end();
process.exit(0);
