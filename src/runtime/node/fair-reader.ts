import process from "node:process";
import { collectGarbageAfterRead } from "../bun-memory.ts";
import { type FrameHandler, FrameReader } from "./frame-reader.ts";

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

/** A socket that can be read from, or not. */
export interface Readable {
  pause(): void;
  resume(): void;
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
  readonly #socket: Readable;
  readonly #frames: FrameReader;
  /** Bytes that were read ahead of the granted shares. */
  #aheadBytes = 0;
  #isPaused = false;
  #isSlow = false;
  #isStopped = false;

  constructor(socket: Readable & FrameHandler, maxMessageBytes: number) {
    this.#socket = socket;
    this.#frames = new FrameReader(socket, maxMessageBytes);
  }

  /** Reads a piece that came from the client. */
  read(piece: Buffer): void {
    this.#frames.read(piece);
    this.#count(piece.length);
  }

  /** Delays the shares that the connection waits for at its next pause. */
  slowDown(): void {
    this.#isSlow = true;
  }

  /** Reads without pauses from now on. The link ignores what comes, but the client's close comes last. */
  stop(): void {
    this.#isStopped = true;
    this.#socket.resume();
  }

  /** Grants one share. Resumes reading, unless the connection is still a share or more ahead. */
  grantShare(): void {
    this.#aheadBytes -= SHARE_BYTES;
    if (this.#aheadBytes >= SHARE_BYTES && !this.#isStopped) {
      enqueue(this);
      return;
    }
    this.#isPaused = false;
    this.#socket.resume();
  }

  #count(bytes: number): void {
    this.#aheadBytes += bytes;
    if (isBun) collectGarbageAfterRead(bytes);
    if (this.#aheadBytes >= SHARE_BYTES && !this.#isPaused && !this.#isStopped) this.#pause();
  }

  #pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
    if (this.#isSlow) setTimeout(enqueue, SLOW_MS * Math.floor(this.#aheadBytes / SHARE_BYTES), this);
    else enqueue(this);
    this.#isSlow = false;
  }
}
