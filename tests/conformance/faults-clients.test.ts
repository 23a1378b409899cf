import { readdirSync, readlinkSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { burst } from "./burst.ts";
import { encodeFrame, OPCODES } from "./frames.ts";
import type { LogLine } from "./process.ts";
import { handshake, openTcp, type RawClient } from "./raw.ts";
import { type Runtime, runtimes } from "./runtimes.ts";
import { type Server, startServer } from "./server.ts";
import { ownServer, sharedServer } from "./subject.ts";
import { until, within } from "./wait.ts";

const MEBIBYTE = 1_048_576;
const MAX_GROWTH_BYTES = 64 * MEBIBYTE;
/** The relay drops after 10 s who has not said what it wants; Bun.serve takes 12. The rest is for a busy machine. */
const HANDSHAKE_PATIENCE_MS = 25_000;

describe("a handshake", () => {
  /** All runtimes wait at the same time. */
  const waiting = new Map<string, Waiting>();
  const of = ({ name }: Runtime): Waiting => {
    const found = waiting.get(name);
    if (found === undefined) throw new Error(`No clients wait on ${name}`);
    return found;
  };

  beforeAll(async () => {
    await Promise.all(runtimes.map(async (runtime) => waiting.set(runtime.name, await Waiting.on(runtime))));
  });
  afterAll(() => {
    for (const one of waiting.values()) one.end();
  });

  test.each(runtimes)("that is not finished in time is dropped on $name, and nothing else is", async (runtime) => {
    const { server, silent, dripping, idle, asking } = of(runtime);
    if (runtime.exceptions.handshakeNeverTimesOut === undefined) {
      await within(Promise.all([silent.gone, dripping.gone]), "the end of both", HANDSHAKE_PATIENCE_MS);
    } else {
      const others = runtimes.filter(({ exceptions }) => exceptions.handshakeNeverTimesOut === undefined);
      await Promise.all(others.map((other) => within(of(other).silent.gone, "the end", HANDSHAKE_PATIENCE_MS)));
      silent.write(handshake());
      expect((await silent.answer()).status).toBe(101);
    }
    idle.raw.text(`${idle.id}:still here`);
    await expect(idle.raw.next()).resolves.toBe("still here");
    expect(await asking()).toBe(1);
    await server.relayOne();
  });
});

describe.each(runtimes)("a client that floods the relay on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_LOG: "warning" } });

  test("with pings, and reads no pong, costs little memory and nobody else's time", async () => {
    // What the process grows by at first is its garbage, and does not grow with what it reads.
    await floodWithPings();
    const before = server().process.rssBytes;
    expect((await floodWithPings()) - before).toBeLessThan(MAX_GROWTH_BYTES);
  });

  /** Sends a million pings, which ask for 127 MB of pongs. @returns The most memory that the process had meanwhile, in bytes. */
  async function floodWithPings(): Promise<number> {
    const socket = connect({ port: server().port, host: "127.0.0.1" });
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.pause();
    socket.write(handshake());
    const ping = encodeFrame({ opcode: OPCODES.ping, payload: "x".repeat(125) });
    const poured = pour(socket, Buffer.concat(Array.from({ length: 500 }, () => ping)), 2000);
    let most = 0;
    // Until all are sent, or the relay takes no more of them.
    for (let taken = -1; taken !== takenBytes(socket); ) {
      taken = takenBytes(socket);
      for (let round = 0; round < 20; round++) await server().relayOne();
      most = Math.max(most, server().process.rssBytes);
    }
    socket.destroy();
    await poured;
    await server().relayOne();
    return most;
  }

  test.each([
    ["of one byte", "x"],
    ["that are empty", ""],
  ])("with 100,000 fragments %s costs little memory and nobody else's time", async (_name, payload) => {
    const { raw, id } = await server().connectRaw();
    const before = server().process.rssBytes;
    const piece = encodeFrame({ opcode: OPCODES.continuation, payload, fin: false });
    raw.send({ opcode: OPCODES.text, payload: `${id}:`, fin: false });
    raw.write(Buffer.concat(Array.from({ length: 100_000 }, () => piece)));
    raw.send({ opcode: OPCODES.continuation });
    let growth = 0;
    for (let round = 0; round < 20; round++) {
      await server().relayOne();
      growth = Math.max(growth, server().process.rssBytes - before);
    }
    // It arrives, or the runtime has a limit: `ws` closes with 1008 after 16,384 fragments.
    const arrived = await raw.next().catch(async () => raw.gone.then(() => undefined));
    if (arrived !== undefined) expect(arrived).toBe(payload.repeat(100_000));
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
    await server().relayOne();
  });
});

describe.each(runtimes)("compression on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("is not agreed to, and a frame that is marked as compressed ends its connection", async () => {
    const raw = await openTcp(server().port);
    raw.write(handshake({ headers: { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" } }));
    const { status, headers } = await raw.answer();
    expect(status).toBe(101);
    expect(headers.has("sec-websocket-extensions")).toBe(false);
    raw.send({ opcode: OPCODES.text, payload: "1:x", reserved: 4 });
    const codes = runtime.exceptions.laxProtocol === undefined ? [1002] : [1002, 1006];
    expect(codes).toContain(await raw.closeCode());
    await server().relayOne();
  });
});

/** Where a client fails: what it has written by then, what it writes after the relay's answer, if it waits for that. */
const STAGES: readonly (readonly [string, string, Uint8Array | undefined])[] = [
  ["before its first byte", "", undefined],
  ["inside the request line", "GET /w", undefined],
  ["inside the headers", handshake().slice(0, 60), undefined],
  ["between its request and the answer", handshake(), undefined],
  ["right after the answer", handshake(), Buffer.alloc(0)],
  [
    "inside its first frame",
    handshake(),
    encodeFrame({ opcode: OPCODES.text, payload: `1:${"x".repeat(1000)}` }).subarray(0, 500),
  ],
];
const FAULT_TIMES = 100;

describe.each(runtimes)("clients that fail while they connect to $name", (runtime) => {
  test("leave a relay that serves, and no session, wherever they fail, by a reset or a half-close", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "info" } });
    await server.openRegistrar();
    const sockets = openSockets(server);
    for (const [, bytes, frame] of STAGES) {
      for (const how of ["reset", "end"] as const) {
        await Promise.all(Array.from({ length: FAULT_TIMES }, () => fail(server.port, how, bytes, frame)));
        await server.relayOne();
      }
    }
    const mostSockets = runtime.exceptions.keepsSocketOfReset === undefined ? sockets : sockets + FAULT_TIMES;
    expect(await holdingsAtEnd(server, mostSockets)).toMatchObject({ sessions: 1, rooms: 0, watches: 0 });
  });

  test("1,000 of them half-open, half in the middle of a handshake, keep nobody out", async () => {
    const server = await ownServer(runtime);
    await server.openRegistrar();
    const sockets = openSockets(server);
    const halfOpen = await Promise.all(Array.from({ length: 1000 }, () => openTcp(server.port)));
    for (const [number, raw] of halfOpen.entries()) if (number % 2 === 0) raw.write(handshake().slice(0, 60));
    for (let round = 0; round < 20; round++) await server.relayOne();
    for (const raw of halfOpen) raw.reset();
    await server.relayOne();
    expect(await holdingsAtEnd(server, sockets)).toMatchObject({ sessions: 1 });
  });

  test("5,000 that are reset at once, and 5,000 after the answer, leave a relay that serves and no session", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "info" } });
    await server.openRegistrar();
    const sockets = openSockets(server);
    for (let count = 0; count < 5000; count += 50) {
      await Promise.all(Array.from({ length: 50 }, () => fail(server.port, "reset", "", undefined)));
    }
    await server.relayOne();
    await burst(server.port, handshake(), 5000);
    await server.relayOne();
    expect(await holdingsAtEnd(server, sockets)).toMatchObject({ sessions: 1 });
  });
});

/** The clients of a server that does not hear all of a handshake, and those that it must not take for them. */
class Waiting {
  readonly server: Server;
  readonly silent: RawClient;
  readonly dripping: RawClient;
  /** Past its handshake, and silent since. */
  readonly idle: { readonly raw: RawClient; readonly id: string };
  /** Stops asking for a page each second. @returns How many connections that took. */
  readonly asking: () => Promise<number>;
  readonly #drip: ReturnType<typeof setInterval>;

  private constructor(server: Server, silent: RawClient, dripping: RawClient, idle: Waiting["idle"]) {
    this.server = server;
    this.silent = silent;
    this.dripping = dripping;
    this.idle = idle;
    dripping.write("GET /ws HTTP/1.1\r\nX-Slow: ");
    this.#drip = setInterval(() => dripping.write("x"), 500);
    this.asking = askEachSecond(server.url("/healthz"));
  }

  static async on(runtime: Runtime): Promise<Waiting> {
    // Nobody is to be dropped for its silence here.
    const server = await startServer(runtime, { env: { RELAY_HEARTBEAT_MS: "60000" } });
    const idle = await server.connectRaw();
    return new Waiting(server, await openTcp(server.port), await openTcp(server.port), idle);
  }

  end(): void {
    clearInterval(this.#drip);
    for (const raw of [this.silent, this.dripping, this.idle.raw]) raw.reset();
    this.server.process.kill();
  }
}

/** Asks for the page each second over a connection that is kept. @returns Stops it; resolves to the number of connections. */
function askEachSecond(url: string): () => Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<Socket>();
  const stopped = new AbortController();
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = get(url, { agent }, (response) => response.resume().once("end", resolve));
      request.once("socket", (socket) => sockets.add(socket)).once("error", reject);
    });
  const asking = (async () => {
    while (!stopped.signal.aborted) {
      await ask();
      await delay(1000, undefined, { signal: stopped.signal }).catch(() => {});
    }
    await ask();
    agent.destroy();
    return sockets.size;
  })();
  // Who asks for the number is told.
  asking.catch(() => {});
  return () => {
    stopped.abort();
    return asking;
  };
}

/** Writes the piece so many times, as fast as the other end takes it. Resolves when it has, or when the connection is gone. */
function pour(socket: Socket, piece: Uint8Array, times: number): Promise<void> {
  let left = times;
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    const write = (): void => {
      while (left-- > 0) {
        if (socket.write(piece)) continue;
        socket.once("drain", write);
        return;
      }
      resolve();
    };
    write();
  });
}

/** What the operating system has taken of what was written. */
function takenBytes(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}

/** Connects, writes the bytes, and the frame when the answer is there, if there is one; then fails, and waits for the end. */
function fail(port: number, how: "reset" | "end", bytes: string, frame: Uint8Array | undefined): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const end = (): void => {
    if (how === "reset") socket.resetAndDestroy();
    else socket.end();
  };
  const ended = new Promise<void>((resolve) => {
    socket.on("error", () => {});
    socket.once("close", () => resolve());
    socket.once("connect", () => {
      if (frame !== undefined) socket.write(bytes);
      else if (bytes === "") end();
      else socket.write(bytes, end);
    });
    socket.on("data", () => {
      if (frame !== undefined && !socket.writableEnded) socket.write(frame, end);
    });
  });
  return within(ended, `the end after ${JSON.stringify(bytes.slice(0, 20))} and a ${how}`);
}

/** Waits until all but the registrar have left, and their sockets are closed; then ends the relay. @returns What it held. */
async function holdingsAtEnd(server: Server, mostSockets: number): Promise<LogLine> {
  await until(async () => count(server, "connected") === count(server, "left") + 1, "all but one to leave");
  await until(async () => openSockets(server) <= mostSockets, "the sockets of all but one to be closed");
  server.process.signal("SIGTERM");
  const line = await server.process.log.find(({ message }) => message.startsWith("shutting down"), "the end");
  expect((await server.process.exit()).code).toBe(0);
  return line;
}

/** How many sockets the process has open. */
function openSockets(server: Server): number {
  const folder = `/proc/${server.process.pid}/fd`;
  return readdirSync(folder).filter((name) => isSocket(`${folder}/${name}`)).length;
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch {
    // Closed since it was listed.
    return false;
  }
}

/** How many lines of the log begin so. */
function count(server: Server, start: string): number {
  return server.process.stderr.split(`"message":"${start}`).length - 1;
}
