import type { Socket } from "node:net";
import process from "node:process";
import { collectGarbageAfterRead } from "../bun-memory.ts";
import { MessageTracker } from "./message-tracker.ts";
import type { RelaySocket } from "./socket.ts";

/** Bytes that are read from one connection before the others have their turn: as many as Node reads in one piece. */
const SHARE_BYTES = 65_536;

/** Number of paused connections that get a share in one turn of the event loop. */
const SHARES_PER_TURN = 16;

/** Delay before each share of a client whose messages are refused, in milliseconds. */
const SLOW_MS = 250;

/** Memory of an incomplete message from which on it counts as held by its link, in bytes: that of one piece. */
const UNCOUNTED_BYTES = SHARE_BYTES + 512;

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
  // Bun copies the parts of a message into memory of their own.
  readonly #message = new MessageTracker(!isBun);
  /** Whether the link counts the memory of an incomplete message. */
  #isCounted = false;
  /** Whether the bytes of the client are dropped instead of passed to `ws`. */
  #isDiscarding = false;
  /** Bytes that were read ahead of the granted shares. */
  #aheadBytes = 0;
  #isPaused = false;
  #isSlow = false;
  #isStopped = false;

  /** @throws {Error} When `ws` does not read the socket yet. */
  constructor(ws: RelaySocket, socket: Socket) {
    this.#ws = ws;
    const [listener] = socket.listeners("data");
    if (listener === undefined) throw new Error("Cannot count what comes: nobody reads the socket yet");
    socket.off("data", listener as () => void);
    const readFairly = (piece: Buffer): void => {
      this.#trackMessage(piece);
      if (!this.#isDiscarding) listener.call(socket, piece);
      this.#count(piece.length);
    };
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

  /** Reports to the link how much memory the runtime is about to hold for an incomplete message. */
  #trackMessage(piece: Buffer): void {
    if (this.#isDiscarding) return;
    this.#message.read(piece);
    const { heldBytes, rawBytes } = this.#message;
    if (heldBytes > UNCOUNTED_BYTES) {
      this.#isCounted = true;
      // The link has ended. The bytes that follow are read and dropped, because the client's close comes last.
      if (this.#ws.link?.onPartialMessage(heldBytes, rawBytes) === false) this.#isDiscarding = true;
    } else if (this.#isCounted) {
      this.#isCounted = false;
      this.#ws.link?.onPartialMessage(0, 0);
    }
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
