import type { ClientFrame, RelayFrame } from "../core/protocol/json-frames.ts";
import type { ClientSocket, ClientSocketConstructor } from "./socket.ts";

export type Welcome = Extract<RelayFrame, { type: "welcome" }>;

export interface ConnectionOptions {
  readonly WebSocket?: ClientSocketConstructor;
  /**
   * What the relay is to know this client by, such as a JWT; a function is asked for each attempt to connect, so that one which has
   * expired is replaced. Sent as the subprotocol `bearer.<token>`. Default: none.
   */
  readonly token?: string | (() => string | Promise<string>);
  /** Longest wait before the first retry, in milliseconds; it doubles with each further one. Default: 500. */
  readonly minDelayMs?: number;
  /** Longest wait before any retry, in milliseconds. Default: 30000. */
  readonly maxDelayMs?: number;
  /** Milliseconds until an attempt without a welcome counts as failed. Default: 10000. */
  readonly connectTimeoutMs?: number;
}

/** What happens on the way to the relay. */
export interface ConnectionEvents {
  welcomed(welcome: Welcome): void;
  received(frame: RelayFrame): void;
  /** `retryMs`: how long until the next attempt; `undefined` where there is none. */
  lost(code: number, reason: string, retryMs: number | undefined): void;
}

const PROTOCOL = "relay.v1.json";
const FINAL_CODES = [1002, 1003, 1007, 1008, 1009];

/** The code with which a client closes what it gave up, and means to come back from. */
const GIVEN_UP = 4001;

/** Keeps a connection to the relay: connects, watches, connects again. */
export class Reconnecting {
  readonly #url: URL;
  readonly #Socket: ClientSocketConstructor;
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  #socket: ClientSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #token = "";
  #failures = 0;
  #attempts = 0;
  #silenceMs = 0;
  #isAsking = false;
  #isWelcomed = false;
  #isOver = false;

  constructor(url: string | URL, options: ConnectionOptions, events: ConnectionEvents) {
    this.#url = new URL(url);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#options = options;
    this.#events = events;
    const Socket = options.WebSocket ?? (globalThis as { WebSocket?: ClientSocketConstructor }).WebSocket;
    if (Socket === undefined)
      throw new TypeError("Cannot connect: there is no WebSocket here; pass one as options.WebSocket");
    this.#Socket = Socket;
    this.#connect();
  }

  /** Sends the frame; `false` where there is no connection that would take it. */
  send(frame: ClientFrame): boolean {
    return this.sendText(JSON.stringify(frame));
  }

  /** The same with the frame's text. */
  sendText(text: string): boolean {
    if (!this.#isWelcomed) return false;
    this.#socket?.send(text);
    return true;
  }

  /** Closes for good. */
  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#lose(code, reason, code);
  }

  /** Connects now, where that would be tried later. */
  readonly retryNow = (): void => {
    if (this.#socket === undefined && !this.#isOver && !this.#isAsking) this.#connect();
  };

  #connect(): void {
    const { token } = this.#options;
    if (token === undefined) this.#open([PROTOCOL]);
    else this.#askFor(token);
  }

  /** Connects when the token is there; where there is none, that is an attempt that failed. */
  async #askFor(token: NonNullable<ConnectionOptions["token"]>): Promise<void> {
    this.#isAsking = true;
    try {
      const bearer = typeof token === "function" ? await token() : token;
      if (!this.#isOver) this.#open([PROTOCOL, `bearer.${bearer}`]);
    } catch {
      // The app has none, or one that no WebSocket would send; the next attempt asks again.
      if (!this.#isOver) this.#lose(1006, "There is no token");
    } finally {
      this.#isAsking = false;
    }
  }

  #open(protocols: string[]): void {
    if (this.#token !== "") {
      this.#url.searchParams.set("resume", this.#token);
      // So that an attempt that was given up, and reaches the relay all the same, does not take the session from a later one.
      this.#url.searchParams.set("attempt", String(++this.#attempts));
    }
    const socket = new this.#Socket(this.#url.href, protocols);
    this.#socket = socket;
    this.#silenceMs = this.#options.connectTimeoutMs ?? 10_000;
    this.#listen();
    socket.onopen = () => {};
    socket.onerror = () => {};
    socket.onmessage = ({ data }) => {
      this.#listen();
      const frame = read(data);
      // Whatever this is, it does not speak the protocol; it may be back as a relay.
      if (socket.protocol !== PROTOCOL || frame === undefined) this.#lose(1006, "This is no relay", GIVEN_UP);
      else this.#received(frame);
    };
    socket.onclose = ({ code, reason }) => this.#lose(code, reason);
  }

  #received(frame: RelayFrame): void {
    if (frame.type === "welcome") {
      this.#isWelcomed = true;
      this.#failures = 0;
      this.#token = frame.resumeToken;
      // The relay pings at least once a beat: two beats and a half without a word mean that it cannot be heard.
      this.#silenceMs = frame.heartbeatMs * 2.5;
      this.#listen();
      this.#events.welcomed(frame);
    } else if (frame.type === "ping") {
      this.send({ type: "pong" });
    }
    this.#events.received(frame);
  }

  /** Gives the connection up when nothing more is heard. */
  #listen(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lose(1006, "Nothing was heard from the relay", GIVEN_UP), this.#silenceMs);
  }

  /** @param closeWith The code to close a socket with that is still there. */
  #lose(code: number, reason: string, closeWith?: number): void {
    const socket = this.#socket;
    clearTimeout(this.#timer);
    this.#socket = undefined;
    this.#isWelcomed = false;
    if (socket !== undefined) {
      socket.onmessage = socket.onclose = null;
      // A browser takes 1000 and 3000 to 4999 only.
      if (closeWith !== undefined) socket.close(closeWith, reason);
    }
    this.#isOver ||= FINAL_CODES.includes(code) || code >= 4500;
    if (this.#isOver) {
      this.#events.lost(code, reason, undefined);
      return;
    }
    const { minDelayMs = 500, maxDelayMs = 30_000 } = this.#options;
    // Full jitter: who lost the relay together does not come back together.
    const retryMs = Math.random() * Math.min(maxDelayMs, minDelayMs * 2 ** this.#failures++);
    this.#timer = setTimeout(this.retryNow, retryMs);
    this.#events.lost(code, reason, retryMs);
  }
}

/** A relay's frame; `undefined` where it is none. */
function read(data: unknown): RelayFrame | undefined {
  try {
    const frame: unknown = JSON.parse(String(data));
    // The relay's frames are as its protocol has them.
    return typeof frame === "object" && frame !== null ? (frame as RelayFrame) : undefined;
  } catch {
    return undefined;
  }
}
