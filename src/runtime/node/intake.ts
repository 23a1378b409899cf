import type { Socket } from "node:net";
import process from "node:process";
import { collectInTime } from "../bun-memory.ts";
import { IncomingMessage } from "./incoming.ts";
import type { RelaySocket } from "./socket.ts";

/** What one connection may send before the others have their turn, in bytes: what Node reads in one piece. */
const SHARE_BYTES = 65_536;

/** How many who have more to send are read from in one turn of the event loop. */
const SERVED_A_TURN = 16;

/** How long a client waits for each share while what it sends is refused, in milliseconds. */
const SLOW_MS = 250;

/** Memory that an incomplete message may take before it counts as held by its link: that of one piece. */
const UNCOUNTED_BYTES = SHARE_BYTES + 512;

const isBun = "bun" in process.versions;

/** Those who have had their share and wait for the next, in the order of coming. */
const waiting: Intake[] = [];
let isScheduled = false;

function wait(intake: Intake): void {
  waiting.push(intake);
  schedule();
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(serve);
}

function serve(): void {
  isScheduled = false;
  for (const intake of waiting.splice(0, SERVED_A_TURN)) intake.serve();
  if (waiting.length > 0) schedule();
}

/**
 * Reads from one connection no more than its share at a time, in turn with the others.
 *
 * Left alone, a runtime reads each socket until it is empty, up to 2 MiB in one turn of the event loop (Node, Deno): a hundred who send
 * without end have everybody else wait for a second, and fill the heap faster than it is collected. Bun reads 512 KiB in one
 * piece, and who sent that waits for as many shares.
 */
export class Intake {
  readonly #ws: RelaySocket;
  // Bun copies parts of a message into memory of its own.
  readonly #incoming = new IncomingMessage(!isBun);
  /** Whether the link counts what came of an incomplete message. */
  #isHeld = false;
  /** Whether the runtime must not hold any more of what comes. */
  #isDiscarding = false;
  /** What has been read beyond what it was served for. */
  #bytes = 0;
  #isWaiting = false;
  #isSlow = false;
  #isStopped = false;

  constructor(ws: RelaySocket, socket: Socket) {
    this.#ws = ws;
    const [read] = socket.listeners("data");
    if (read === undefined) throw new Error("Cannot count what comes: nobody reads the socket yet");
    socket.off("data", read as () => void);
    const readAndCount = (piece: Buffer): void => {
      this.#follow(piece);
      if (!this.#isDiscarding) read.call(socket, piece);
      this.#count(piece.length);
    };
    // In its place and not beside it: a list of two is copied for each piece. Under this name its owner can still take it off.
    socket.on("data", Object.assign(readAndCount, { listener: read }));
  }

  /** Has the connection wait longer for its next share, this once. */
  slowDown(): void {
    this.#isSlow = true;
  }

  /** Reads all from now on: nobody is told what comes, but the client's close is behind it. */
  stop(): void {
    this.#isStopped = true;
    this.#ws.resume();
  }

  /** Gives it a share; it is read from again when that was the last it owes. */
  serve(): void {
    this.#bytes -= SHARE_BYTES;
    if (this.#bytes >= SHARE_BYTES && !this.#isStopped) {
      wait(this);
      return;
    }
    this.#isWaiting = false;
    this.#ws.resume();
  }

  /** Reports to the link what the runtime is about to hold of an incomplete message. */
  #follow(piece: Buffer): void {
    if (this.#isDiscarding) return;
    this.#incoming.read(piece);
    const { heldBytes, rawBytes } = this.#incoming;
    if (heldBytes > UNCOUNTED_BYTES) {
      this.#isHeld = true;
      // What follows is read and dropped: the client's end is behind it.
      if (this.#ws.link?.onPartialMessage(heldBytes, rawBytes) === false) this.#isDiscarding = true;
    } else if (this.#isHeld) {
      this.#isHeld = false;
      this.#ws.link?.onPartialMessage(0, 0);
    }
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (isBun) collectInTime(bytes);
    if (this.#bytes >= SHARE_BYTES && !this.#isWaiting && !this.#isStopped) this.#wait();
  }

  #wait(): void {
    this.#isWaiting = true;
    this.#ws.pause();
    if (this.#isSlow) setTimeout(wait, SLOW_MS * Math.floor(this.#bytes / SHARE_BYTES), this);
    else wait(this);
    this.#isSlow = false;
  }
}
