import type { Socket } from "node:net";
import process from "node:process";
import { collectGarbageAfterRead } from "../bun-memory.ts";
import { FrameReader } from "./frame-reader.ts";
import type { RelaySocket } from "./socket.ts";

/** Bytes that are read from one connection before the others have their turn: as many as Node reads in one piece. */
const SHARE_BYTES = 65_536;

/** Number of paused connections that get a share in one turn of the event loop. */
const SHARES_PER_TURN = 16;

/** Delay before each share of a client whose messages are refused, in milliseconds. */
const SLOW_MS = 250;

const isBun = "bun" in process.versions;

/** Readers that are paused and wait for a share, first come, first served. */
const queue: FairReader[] = [];
let isScheduled = false;

function enqueue(reader: FairReader): void {
  queue.push(reader);
  schedule();
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(grantShares);
}

function grantShares(): void {
  isScheduled = false;
  for (const reader of queue.splice(0, SHARES_PER_TURN)) reader.grantShare();
  if (queue.length > 0) schedule();
}

/**
 * Reads from one connection a share at a time, in turn with the other connections.
 *
 * By default a runtime reads each socket until it is empty, up to 2 MiB in one turn of the event loop (Node, Deno). A
 * hundred clients that send without a pause then delay all others by a second, and fill the heap faster than it is
 * collected. Bun reads up to 512 KiB in one piece. A client that sent more than a share in one piece waits for as many
 * shares as it has sent.
 */
export class FairReader {
  readonly #ws: RelaySocket;
  /** Bytes that were read ahead of the granted shares. */
  #aheadBytes = 0;
  #isPaused = false;
  #isSlow = false;
  #isStopped = false;

  /** @throws {Error} When `ws` does not read the socket yet. */
  constructor(ws: RelaySocket, socket: Socket, maxMessageBytes: number) {
    this.#ws = ws;
    const [listener] = socket.listeners("data");
    if (listener === undefined) throw new Error("Cannot read frames: nobody reads the socket yet");
    socket.off("data", listener as () => void);
    const frames = new FrameReader(ws, maxMessageBytes, (bytes) => listener.call(socket, bytes));
    const readFairly = (piece: Buffer): void => {
      frames.read(piece);
      this.#count(piece.length);
    };
    // A reset socket that was paused has bytes left that nobody read. `ws` would read them when the socket closes, but
    // does not know the frame that they may be the rest of.
    socket.prependListener("close", () => {
      const rest: Buffer | null = socket.readableLength > 0 ? socket.read(socket.readableLength) : null;
      if (rest !== null) frames.read(rest);
    });
    // Replaces the listener of `ws`: Node copies a list of two listeners for each piece. With the property `listener`,
    // `ws` can still remove its own one.
    socket.on("data", Object.assign(readFairly, { listener }));
  }

  /** Delays the shares that the connection waits for at its next pause. */
  slowDown(): void {
    this.#isSlow = true;
  }

  /** Reads without pauses from now on. The link ignores what comes, but the client's close comes last. */
  stop(): void {
    this.#isStopped = true;
    this.#ws.resume();
  }

  /** Grants one share. Resumes reading, unless the connection is still a share or more ahead. */
  grantShare(): void {
    this.#aheadBytes -= SHARE_BYTES;
    if (this.#aheadBytes >= SHARE_BYTES && !this.#isStopped) {
      enqueue(this);
      return;
    }
    this.#isPaused = false;
    this.#ws.resume();
  }

  #count(bytes: number): void {
    this.#aheadBytes += bytes;
    if (isBun) collectGarbageAfterRead(bytes);
    if (this.#aheadBytes >= SHARE_BYTES && !this.#isPaused && !this.#isStopped) this.#pause();
  }

  #pause(): void {
    this.#isPaused = true;
    this.#ws.pause();
    if (this.#isSlow) setTimeout(enqueue, SLOW_MS * Math.floor(this.#aheadBytes / SHARE_BYTES), this);
    else enqueue(this);
    this.#isSlow = false;
  }
}
