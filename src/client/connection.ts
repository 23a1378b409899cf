import type { ClientFrame, RelayFrame } from "../core/protocol/json-frames.ts";
import type { Ending } from "./events.ts";
import type { ClientSocket, ClientSocketConstructor } from "./socket.ts";

export type Welcome = Extract<RelayFrame, { type: "welcome" }>;

export interface ConnectionOptions {
  readonly WebSocket?: ClientSocketConstructor;
  /**
   * What the relay is to know this client by, such as a JWT; sent as the subprotocol `bearer.<token>`. Default: none.
   *
   * A function is called for each attempt to connect. The attempt fails when the function throws, returns a token that
   * no header could carry, or has not settled after `connectTimeoutMs`; the next attempt calls it again. A client
   * whose token is a string is closed when the relay says that the token has expired (4002).
   */
  readonly token?: string | (() => string | Promise<string>);
  /** Longest wait before the first retry, in milliseconds; it doubles with each further one. Default: 500. */
  readonly minDelayMs?: number;
  /** Longest wait before any retry, in milliseconds. Default: 30000. */
  readonly maxDelayMs?: number;
  /** Milliseconds until an attempt without a welcome counts as failed. Default: 10000. */
  readonly connectTimeoutMs?: number;
}

const PROTOCOL = "relay.v1.json";
const FINAL_CODES = [1002, 1003, 1007, 1008, 1009];
const EXPIRED = 4002;

/** The code with which a client closes what it gave up, and means to come back from. */
const GIVEN_UP = 4001;

/** The reason of a close frame that refuses a client: `<code>: <sentence>`. */
const REFUSAL = /^([a-z_]+): /;

/** A connection to the relay that is made again whenever it is lost. */
export interface Connection {
  /** Sends the frame, or its text; `false` where there is no connection that would take it. */
  send(frame: ClientFrame | string): boolean;
  /** Connects, where there is no connection and no attempt. */
  connect(): void;
  /** Closes for good. */
  close(): void;
  /** Takes `abort` of a signal, and `online`, `pagehide` and `pageshow` of a page. */
  handleEvent(event: { readonly type: string; readonly persisted?: boolean }): void;
}

/** @returns A connection that waits for its first `connect`. */
export function keepConnection(
  address: string | URL,
  options: ConnectionOptions,
  received: (frame: RelayFrame) => void,
  lost: (ending: Ending, retryMs: number | undefined) => void,
): Connection {
  const url = new URL(address);
  url.protocol = url.protocol.replace("http", "ws");
  // A browser hides the status of a refused handshake from its page, but not the code of a close frame.
  url.searchParams.set("refusal", "close");
  const Socket = options.WebSocket ?? findWebSocket();
  const { token, minDelayMs = 500, maxDelayMs = 30_000, connectTimeoutMs = 10_000 } = options;
  if (typeof token !== "function") offers(token);

  let socket: ClientSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let resumeToken = "";
  let failures = 0;
  let attempts = 0;
  let silenceMs = 0;
  /** Whether there is a connection, or an attempt to connect. */
  let isTrying = false;
  let isWelcomed = false;
  /** Whether the page is in the back-forward cache. */
  let isAway = false;
  let isOver = false;

  function send(frame: ClientFrame | string): boolean {
    if (isWelcomed) socket?.send(typeof frame === "string" ? frame : JSON.stringify(frame));
    return isWelcomed;
  }

  function connect(): void {
    if (isTrying || isOver) return;
    isTrying = true;
    silenceMs = connectTimeoutMs;
    attempts++;
    if (typeof token === "function") askFor(token, attempts);
    else open(offers(token));
    listen();
  }

  /** Connects when the token is there; where there is none, that is an attempt that failed. */
  async function askFor(ask: () => string | Promise<string>, attempt: number): Promise<void> {
    // The attempt may have been given up meanwhile.
    const isCurrent = (): boolean => isTrying && attempt === attempts;
    try {
      // An app without types may give none.
      const protocols = offers((await ask()) ?? "");
      if (isCurrent()) open(protocols);
    } catch (error) {
      if (isCurrent()) lose(1006, `There is no token: ${error}`);
    }
  }

  function open(protocols: string[]): void {
    if (resumeToken !== "") {
      url.searchParams.set("resume", resumeToken);
      // An attempt that was given up may reach the relay late: it must not take the session from a later one.
      url.searchParams.set("attempt", `${attempts}`);
    }
    const opened = new Socket(url.href, protocols);
    socket = opened;
    opened.onerror = () => {};
    opened.onmessage = ({ data }) => {
      listen();
      const frame = read(data);
      // Whatever this is, it does not speak the protocol; it may be back as a relay.
      if (opened.protocol !== PROTOCOL || frame === undefined) lose(1006, "This is no relay", GIVEN_UP);
      else take(frame);
    };
    opened.onclose = ({ code, reason }) => lose(code, reason);
  }

  function take(frame: RelayFrame): void {
    if ("resumeToken" in frame) resumeToken = frame.resumeToken;
    if (frame.type === "welcome") {
      isWelcomed = true;
      // The relay pings at least once a beat: two beats and a half without a word mean that it cannot be heard.
      silenceMs = frame.heartbeatMs * 2.5;
      listen();
    } else if (frame.type === "ping") {
      send({ type: "pong" });
    }
    // A welcome alone is no success: the relay may close right after it.
    if (frame.type === "ping" || frame.type === "ack") failures = 0;
    received(frame);
  }

  /**
   * Gives the connection up when nothing is heard for `silenceMs`, and asks the relay for a word a fifth before that.
   * After a page was frozen, or a machine slept, the first timer fires late, and before the socket gives what it has
   * received meanwhile: the last fifth is the time to read that.
   */
  function listen(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      send({ type: "ping" });
      timer = setTimeout(() => lose(1006, "Nothing was heard from the relay", GIVEN_UP), silenceMs * 0.2);
    }, silenceMs * 0.8);
  }

  /** @param closeWith The code to close a socket with that is still there. */
  function lose(code: number, reason: string, closeWith?: number): void {
    const left = socket;
    // The relay refuses in place of a welcome.
    const ending = { code, reason, refusal: isWelcomed ? undefined : REFUSAL.exec(reason)?.[1] };
    clearTimeout(timer);
    socket = undefined;
    isTrying = isWelcomed = false;
    if (left !== undefined) {
      left.onmessage = left.onclose = null;
      // A browser takes 1000 and 3000 to 4999 only.
      if (closeWith !== undefined) left.close(closeWith, reason);
    }
    const hasExpired = code === EXPIRED && typeof token === "string";
    isOver ||= FINAL_CODES.includes(code) || code >= 4500 || hasExpired;
    let retryMs: number | undefined;
    if (!isOver) {
      // Full jitter: who lost the relay together does not come back together.
      retryMs = isAway ? 0 : Math.random() * Math.min(maxDelayMs, minDelayMs * 2 ** failures++);
      if (!isAway) timer = setTimeout(connect, retryMs);
    }
    lost(ending, retryMs);
  }

  function close(): void {
    if (isOver) return;
    isOver = true;
    lose(1000, "", 1000);
  }

  return {
    send,
    connect,
    close,
    handleEvent({ type, persisted }) {
      if (persisted) isAway = type === "pagehide";
      if (type === "abort") close();
      // Chromium would keep the socket open without a reader, and close it with 1001 when it shows the page again.
      else if (isAway) lose(1006, "The page was put away", GIVEN_UP);
      // The browser itself closes the socket of a page that it unloads, with 1001, and so ends the session.
      else if (type !== "pagehide") connect();
    },
  };
}

/** @throws {TypeError} When there is none. */
function findWebSocket(): ClientSocketConstructor {
  const { WebSocket } = globalThis as { WebSocket?: ClientSocketConstructor };
  if (WebSocket === undefined) throw new TypeError("Cannot connect: there is no WebSocket; pass options.WebSocket");
  return WebSocket;
}

/**
 * Returns the subprotocols to offer: the protocol, and the token if there is one.
 *
 * @throws {TypeError} When no header could carry the token.
 */
function offers(token: unknown): string[] {
  if (token === undefined) return [PROTOCOL];
  if (typeof token !== "string" || !/^[\w!#$%&'*+.^`|~-]+$/.test(token)) {
    throw new TypeError("Cannot connect: no header could carry the token");
  }
  return [PROTOCOL, `bearer.${token}`];
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
