import { createInterface } from "node:readline";
import { LOADS } from "../loads/all.ts";
import type { Prepared } from "../loads/load.ts";
import { Crowd } from "./crowd.ts";
import type { Order, Reply } from "./orders.ts";
import type { Connect } from "./wire.ts";

/** The generator: one load on one server, told by lines of JSON on stdin. It ends with its stdin. */
let prepared: Prepared | undefined;
let crowd: Crowd | undefined;

async function connectOf(): Promise<Connect> {
  if (process.versions.bun !== undefined && process.env.BENCH_WIRE !== "net") {
    return (await import("./bun-wire.ts")).connectBun;
  }
  return (await import("./net-wire.ts")).connectNet;
}

async function obey(order: Order): Promise<Reply> {
  if (order.type === "idle") {
    crowd = new Crowd({ port: order.port, pid: 0, dialect: order.dialect, connect: await connectOf() });
    await crowd.openIdle(order.connections);
    return { type: "holding" };
  }
  if (order.type === "prepare") {
    const load = LOADS.find(({ name }) => name === order.load);
    if (load === undefined) throw new Error(`No load is called ${order.load}`);
    crowd = new Crowd({ port: order.port, pid: order.pid, dialect: order.dialect, connect: await connectOf() });
    prepared = await load.prepare(crowd);
    return { type: "prepared", saturatingRate: prepared.saturatingRate ?? 0 };
  }
  if (prepared === undefined) throw new Error("A round was asked for before its preparation");
  return { type: "figures", figures: await prepared.round(order) };
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply: Reply;
  try {
    // The bench writes nothing else than orders.
    reply = await obey(JSON.parse(line) as Order);
  } catch (error) {
    reply = { type: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
crowd?.end();
process.exit(0);
