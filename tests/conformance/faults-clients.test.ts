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
/** The relay drops an unfinished handshake after 10 s, Bun.serve after 12 s. The rest is for a busy machine. */
const HANDSHAKE_PATIENCE_MS = 25_000;

describe("an unfinished handshake", () => {
  /** By the runtime's name. All runtimes time out at the same time, so that the tests take 10 s together. */
  const slowHandshakes = new Map<string, SlowHandshakes>();
  const slowHandshakesOn = ({ name }: Runtime): SlowHandshakes => {
    const found = slowHandshakes.get(name);
    if (found === undefined) throw new Error(`Cannot find the slow handshakes on ${name}`);
    return found;
  };

  beforeAll(async () => {
    await Promise.all(
      runtimes.map(async (runtime) => slowHandshakes.set(runtime.name, await SlowHandshakes.start(runtime))),
    );
  });
  afterAll(() => {
    for (const one of slowHandshakes.values()) one.stop();
  });

  test.each(runtimes)("is dropped after a timeout, which affects no other connection, on $name", async (runtime) => {
    const { server, silent, dripping, idle, stopPolling } = slowHandshakesOn(runtime);
    if (runtime.exceptions.handshakeNeverTimesOut === undefined) {
      await within(Promise.all([silent.gone, dripping.gone]), "both handshakes to be dropped", HANDSHAKE_PATIENCE_MS);
    } else {
      const others = runtimes.filter(({ exceptions }) => exceptions.handshakeNeverTimesOut === undefined);
      const drops = others.map((other) => slowHandshakesOn(other).silent.gone);
      await within(Promise.all(drops), "the other runtimes to drop theirs", HANDSHAKE_PATIENCE_MS);
      silent.write(handshake());
      expect((await silent.answer()).status).toBe(101);
    }
    idle.raw.text(`${idle.id}:still here`);
    await expect(idle.raw.next()).resolves.toBe("still here");
    expect(await stopPolling()).toBe(1);
    await server.relayOne();
  });
});

describe.each(runtimes)("a client that floods the relay on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_LOG: "warning" } });

  test("with pings, and reads no pong, takes little memory and delays no other client", async () => {
    // The first flood grows the process by garbage, whatever its size. The second must not grow it further.
    await floodWithPings();
    const before = server().process.rssBytes;
    expect((await floodWithPings()) - before).toBeLessThan(MAX_GROWTH_BYTES);
  });

  /** Sends a million pings, which ask for 127 MB of pongs. @returns The process's peak memory meanwhile, in bytes. */
  async function floodWithPings(): Promise<number> {
    const socket = connect({ port: server().port, host: "127.0.0.1" });
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.pause();
    socket.write(handshake());
    const ping = encodeFrame({ opcode: OPCODES.ping, payload: "x".repeat(125) });
    const written = writeRepeatedly(socket, Buffer.concat(Array.from({ length: 500 }, () => ping)), 2000);
    let peakBytes = 0;
    // Until all pings are sent, or the relay reads no more of them.
    for (let taken = -1; taken !== takenBytes(socket); ) {
      taken = takenBytes(socket);
      for (let round = 0; round < 20; round++) await server().relayOne();
      peakBytes = Math.max(peakBytes, server().process.rssBytes);
    }
    socket.destroy();
    await written;
    await server().relayOne();
    return peakBytes;
  }

  test.each([
    ["of one byte", "x"],
    ["that are empty", ""],
  ])("with 100,000 fragments %s takes little memory and delays no other client", async (_name, payload) => {
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
    // The message arrives, unless the runtime limits fragments: `ws` closes with 1008 after 16,384.
    const arrived = await raw.next().catch(async () => raw.gone.then(() => undefined));
    if (arrived !== undefined) expect(arrived).toBe(payload.repeat(100_000));
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
    await server().relayOne();
  });
});

describe.each(runtimes)("compression on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("is not negotiated, and a frame with the bit for compression ends its connection", async () => {
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

/** Points of failure: what the client writes first, and what it writes after the answer, if it waits for that. */
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
const FAILURES_PER_STAGE = 100;

describe.each(runtimes)("clients that fail while they connect, on $name", (runtime) => {
  test("leave no session and a working relay, at every point of failure, by a reset or a half-close", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "info" } });
    await server.openRegistrar();
    const sockets = openSockets(server);
    for (const [, bytes, frame] of STAGES) {
      for (const how of ["reset", "end"] as const) {
        await Promise.all(
          Array.from({ length: FAILURES_PER_STAGE }, () => connectAndFail(server.port, how, bytes, frame)),
        );
        await server.relayOne();
      }
    }
    const maxSockets = runtime.exceptions.leaksSocketOnReset === undefined ? sockets : sockets + FAILURES_PER_STAGE;
    expect(await stopAndReadHoldings(server, maxSockets)).toMatchObject({ sessions: 1, rooms: 0, watches: 0 });
  });

  test("do not keep others out: 1,000 open connections, half of them in the middle of a handshake", async () => {
    const server = await ownServer(runtime);
    await server.openRegistrar();
    const sockets = openSockets(server);
    const halfOpen = await Promise.all(Array.from({ length: 1000 }, () => openTcp(server.port)));
    for (const [number, raw] of halfOpen.entries()) if (number % 2 === 0) raw.write(handshake().slice(0, 60));
    for (let round = 0; round < 20; round++) await server.relayOne();
    for (const raw of halfOpen) raw.reset();
    await server.relayOne();
    expect(await stopAndReadHoldings(server, sockets)).toMatchObject({ sessions: 1 });
  });

  test("leave no session and a working relay: 5,000 reset after connecting, 5,000 after the answer", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "info" } });
    await server.openRegistrar();
    const sockets = openSockets(server);
    for (let count = 0; count < 5000; count += 50) {
      await Promise.all(Array.from({ length: 50 }, () => connectAndFail(server.port, "reset", "", undefined)));
    }
    await server.relayOne();
    await burst(server.port, handshake(), 5000);
    await server.relayOne();
    expect(await stopAndReadHoldings(server, sockets)).toMatchObject({ sessions: 1 });
  });
});

/** Server with two unfinished handshakes, which it must drop, and two idle connections, which it must keep. */
class SlowHandshakes {
  readonly server: Server;
  /** Has connected, and sends nothing. */
  readonly silent: RawClient;
  /** Sends one byte of its handshake every half second. */
  readonly dripping: RawClient;
  /** Has finished its handshake, and sends nothing since. */
  readonly idle: { readonly raw: RawClient; readonly id: string };
  /** Stops requesting a page each second over a kept connection. @returns The count of connections that it took. */
  readonly stopPolling: () => Promise<number>;
  readonly #drip: ReturnType<typeof setInterval>;

  private constructor(server: Server, silent: RawClient, dripping: RawClient, idle: SlowHandshakes["idle"]) {
    this.server = server;
    this.silent = silent;
    this.dripping = dripping;
    this.idle = idle;
    dripping.write("GET /ws HTTP/1.1\r\nX-Slow: ");
    this.#drip = setInterval(() => dripping.write("x"), 500);
    this.stopPolling = pollEachSecond(server.url("/healthz"));
  }

  static async start(runtime: Runtime): Promise<SlowHandshakes> {
    // The heartbeat must not drop the idle client.
    const server = await startServer(runtime, { env: { RELAY_HEARTBEAT_MS: "60000" } });
    const idle = await server.connectRaw();
    return new SlowHandshakes(server, await openTcp(server.port), await openTcp(server.port), idle);
  }

  stop(): void {
    clearInterval(this.#drip);
    for (const raw of [this.silent, this.dripping, this.idle.raw]) raw.reset();
    this.server.process.kill();
  }
}

/**
 * Requests the page each second over a kept connection.
 *
 * @returns A function that stops the requests, and resolves to the count of connections that they took.
 */
function pollEachSecond(url: string): () => Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<Socket>();
  const stopped = new AbortController();
  const requestPage = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = get(url, { agent }, (response) => response.resume().once("end", resolve));
      request.once("socket", (socket) => sockets.add(socket)).once("error", reject);
    });
  const polling = (async () => {
    while (!stopped.signal.aborted) {
      await requestPage();
      await delay(1000, undefined, { signal: stopped.signal }).catch(() => {});
    }
    await requestPage();
    agent.destroy();
    return sockets.size;
  })();
  // A rejection reaches the caller that awaits the returned promise.
  polling.catch(() => {});
  return () => {
    stopped.abort();
    return polling;
  };
}

/** Writes the piece this many times, as fast as the peer reads. Resolves then, or when the connection has ended. */
function writeRepeatedly(socket: Socket, piece: Uint8Array, times: number): Promise<void> {
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

/** Returns the count of written bytes that the operating system has accepted. */
function takenBytes(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}

/** Connects, writes the bytes, and the frame after the answer where there is one; then ends the connection. */
function connectAndFail(
  port: number,
  how: "reset" | "end",
  bytes: string,
  frame: Uint8Array | undefined,
): Promise<void> {
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
  return within(ended, `the connection to end after ${JSON.stringify(bytes.slice(0, 20))} and a ${how}`);
}

/**
 * Waits until every client but the registrar has left and its socket is closed, then stops the relay.
 *
 * @returns The line of the log that says what the relay still held.
 */
async function stopAndReadHoldings(server: Server, maxSockets: number): Promise<LogLine> {
  await until(async () => count(server, "connected") === count(server, "left") + 1, "every client but one to leave");
  await until(async () => openSockets(server) <= maxSockets, "the sockets of every client but one to be closed");
  server.process.signal("SIGTERM");
  const line = await server.process.log.find(({ message }) => message.startsWith("shutting down"), "the shutdown");
  expect((await server.process.untilExit()).code).toBe(0);
  return line;
}

/** Counts the open sockets of the process. */
function openSockets(server: Server): number {
  const folder = `/proc/${server.process.pid}/fd`;
  return readdirSync(folder).filter((name) => isSocket(`${folder}/${name}`)).length;
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch {
    // It was closed after it was listed.
    return false;
  }
}

/** Counts the lines of the log whose message starts like this. */
function count(server: Server, start: string): number {
  return server.process.stderr.split(`"message":"${start}`).length - 1;
}
