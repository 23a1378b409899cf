import type { RelayFrame } from "../core/protocol/json-frames.ts";
import { type FrameParts, joinFrame } from "./data.ts";
import type { Ending } from "./events.ts";
import type { ClientSocket, ClientSocketConstructor } from "./socket.ts";

export type Welcome = Extract<RelayFrame, { type: "welcome" }>;

/** Options of the connection. */
export interface ConnectionOptions {
  /** WebSocket class to use. Default: the global one. */
  readonly WebSocket?: ClientSocketConstructor;
  /**
   * Token that identifies the client, such as a JWT; sent as the subprotocol `bearer.<token>`. Default: none.
   *
   * A function is called for each attempt to connect. The attempt fails when the function throws, returns a token with
   * characters that a header cannot have, or has not settled after `connectTimeoutMs`. The next attempt calls the
   * function again. A client whose token is a string closes when the relay says that the token has expired (4002).
   */
  readonly token?: string | (() => string | Promise<string>);
  /** Longest delay before the first retry, in milliseconds. It doubles with each further retry. Default: 500. */
  readonly minDelayMs?: number;
  /** Longest delay before any retry, in milliseconds. Default: 30000. */
  readonly maxDelayMs?: number;
  /** Time after which an attempt without a welcome fails, in milliseconds. Default: 10000. */
  readonly connectTimeoutMs?: number;
}

/** The subprotocols in order of preference. The first one takes bytes as they are; relays before 0.2 lack it. */
const PROTOCOLS = ["relay.v1.json-bytes", "relay.v1.json"];
/** Close codes below 4500 after which the client does not reconnect. */
const FINAL_CODES = [1002, 1003, 1007, 1008, 1009];
const EXPIRED_CODE = 4002;
/**
 * Code of a relay that restarts, or moves its clients to others. It has carried out nothing for which no outcome came
 * before the close frame.
 */
export const RESTART_CODE = 1012;

/** Code with which the client closes a socket that it gives up, to resume its session over another one. */
const GIVE_UP_CODE = 4001;

/** Reason of a close frame that refuses a client: `<code>: <sentence>`. */
const REFUSAL = /^([a-z_]+): /;

/** A connection to the relay that reconnects when it is lost. */
export interface Connection {
  /** Joins the parts of a frame, in the form that the present connection takes. */
  pack(parts: FrameParts): string | Uint8Array<ArrayBuffer>;
  /**
   * Sends a frame, which is a text in JSON or packed.
   *
   * @returns `false` where there is no welcomed connection; the frame is not sent then.
   */
  send(frame: string | Uint8Array): boolean;
  /** Connects, unless there is a connection or an attempt to connect. */
  connect(): void;
  /** Closes for good. */
  close(): void;
  /** Handles `abort` of a signal, and `online`, `pagehide` and `pageshow` of a page. */
  handleEvent(event: { readonly type: string; readonly persisted?: boolean }): void;
}

/**
 * Makes a connection. It connects when `connect` is called.
 *
 * @param onFrame Receives each frame of the relay, and its size in UTF-16 units or bytes.
 * @param onLost Runs when a connection or an attempt has ended. `retryMs` is the delay before the next attempt;
 *   `undefined` where the connection is closed for good.
 */
export function keepConnection(
  address: string | URL,
  options: ConnectionOptions,
  onFrame: (frame: RelayFrame, size: number) => void,
  onLost: (ending: Ending, retryMs: number | undefined) => void,
): Connection {
  const url = new URL(address);
  url.protocol = url.protocol.replace("http", "ws");
  // A browser hides the status of a refused handshake from the page, but not the code of a close frame.
  url.searchParams.set("refusal", "close");
  const {
    WebSocket: Socket = (globalThis as { WebSocket?: unknown }).WebSocket as ClientSocketConstructor,
    token,
    minDelayMs = 500,
    maxDelayMs = 30_000,
    connectTimeoutMs = 10_000,
  } = options;
  if (!Socket) throw new TypeError("Cannot connect: there is no WebSocket; pass options.WebSocket");
  if (typeof token !== "function") subprotocolsFor(token);

  let socket: ClientSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let resumeToken = "";
  let failures = 0;
  let attempts = 0;
  /** Longest silence of the relay before the connection is given up. */
  let maxSilenceMs = 0;
  /** Whether there is a connection, or an attempt to connect. */
  let isActive = false;
  let isWelcomed = false;
  /** Whether the page is in the back-forward cache. */
  let isPageCached = false;
  let isClosed = false;

  function send(frame: string | Uint8Array): boolean {
    if (isWelcomed) socket?.send(frame);
    return isWelcomed;
  }

  function connect(): void {
    if (isActive || isClosed) return;
    isActive = true;
    maxSilenceMs = connectTimeoutMs;
    attempts++;
    if (typeof token === "function") openWithToken(token, attempts);
    else openSocket(subprotocolsFor(token));
    restartTimer();
  }

  /** Asks the app for a token, and opens a socket with it. Without a token, the attempt fails. */
  async function openWithToken(getToken: () => string | Promise<string>, attempt: number): Promise<void> {
    // The attempt may have ended before the token comes.
    const isCurrent = (): boolean => isActive && attempt === attempts;
    try {
      // An app in JavaScript may return undefined.
      const protocols = subprotocolsFor((await getToken()) ?? "");
      if (isCurrent()) openSocket(protocols);
    } catch (error) {
      if (isCurrent()) endConnection(1006, `There is no token: ${error}`);
    }
  }

  function openSocket(protocols: string[]): void {
    if (resumeToken) {
      url.searchParams.set("resume", resumeToken);
      // An attempt that the client gave up may reach the relay late. It must not take the session from a later attempt.
      url.searchParams.set("attempt", `${attempts}`);
    }
    const newSocket = new Socket(url.href, protocols);
    socket = newSocket;
    newSocket.binaryType = "arraybuffer";
    newSocket.onerror = () => {};
    newSocket.onmessage = ({ data }: { readonly data: string | ArrayBuffer }) => {
      restartTimer();
      const frame = readFrame(data);
      // The server does not speak the protocol now. The client retries, because a relay may answer at this address
      // later.
      if (!frame || !PROTOCOLS.includes(newSocket.protocol)) endConnection(1006, "This is no relay", GIVE_UP_CODE);
      else handleFrame(frame, (data as string).length ?? (data as ArrayBuffer).byteLength);
    };
    newSocket.onclose = ({ code, reason }) =>
      endConnection(
        code,
        reason || code !== 1006 ? reason : isWelcomed ? "The connection was lost" : "No relay answered",
      );
  }

  function handleFrame(frame: RelayFrame, size: number): void {
    if ("resumeToken" in frame) resumeToken = frame.resumeToken;
    if (frame.type === "welcome") {
      isWelcomed = true;
      // The relay pings at least once a beat, so after two and a half silent beats the connection is dead.
      maxSilenceMs = frame.heartbeatMs * 2.5;
      restartTimer();
    } else if (frame.type === "ping") {
      send('{"type":"pong"}');
    }
    // Not at a welcome: the relay may close the connection right after it.
    if (/^(ping|ack)$/.test(frame.type)) failures = 0;
    onFrame(frame, size);
  }

  /**
   * Restarts the timer for the relay's silence. After 80 % of `maxSilenceMs` the client pings the relay; after the
   * other 20 % it gives the connection up. When a page was frozen, or a machine slept, the first timer fires late,
   * before the socket reports the frames that came meanwhile. The other 20 % leave the time to read those.
   */
  function restartTimer(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      send('{"type":"ping"}');
      timer = setTimeout(
        () => endConnection(1006, socket ? "Nothing was heard from the relay" : "There is no token yet", GIVE_UP_CODE),
        maxSilenceMs * 0.2,
      );
    }, maxSilenceMs * 0.8);
  }

  /**
   * Ends the connection, or the attempt to connect, and schedules the next attempt unless the end is final.
   *
   * @param closeCode Code with which to close the socket, where the socket has not closed.
   */
  function endConnection(code: number, reason: string, closeCode?: number): void {
    const oldSocket = socket;
    // The relay sends a refusal only in place of a welcome.
    const ending = { code, reason, refusal: isWelcomed ? undefined : REFUSAL.exec(reason)?.[1] };
    clearTimeout(timer);
    socket = undefined;
    isActive = isWelcomed = false;
    if (oldSocket) {
      oldSocket.onmessage = oldSocket.onclose = null;
      // A browser accepts only 1000 and 3000 to 4999.
      if (closeCode) oldSocket.close(closeCode, reason);
    }
    const hasExpired = code === EXPIRED_CODE && typeof token === "string";
    isClosed ||= FINAL_CODES.includes(code) || code >= 4500 || hasExpired;
    let retryMs: number | undefined;
    if (!isClosed) {
      // Full jitter: clients that lost the relay at the same time do not reconnect at the same time. A relay that
      // restarts spreads its clients itself.
      const isImmediate = isPageCached || (code === RESTART_CODE && !failures && !ending.refusal);
      retryMs = isImmediate ? 0 : Math.ceil(Math.random() * Math.min(maxDelayMs, minDelayMs * 2 ** failures));
      if (!isPageCached) {
        failures++;
        timer = setTimeout(connect, retryMs);
      }
    }
    onLost(ending, retryMs);
  }

  function close(): void {
    if (isClosed) return;
    isClosed = true;
    endConnection(1000, "", 1000);
  }

  return {
    pack: (parts) => joinFrame(parts, socket?.protocol === PROTOCOLS[0]),
    send,
    connect,
    close,
    handleEvent({ type, persisted }) {
      if (persisted) isPageCached = type === "pagehide";
      if (type === "abort") close();
      // Chromium would keep the socket of a cached page open, and close it with 1001 when it shows the page again.
      else if (isPageCached) endConnection(1006, "The page was put away", GIVE_UP_CODE);
      // Nothing to do when a page is unloaded: the browser closes its socket with 1001, and that ends the session.
      else if (type !== "pagehide") connect();
    },
  };
}

/**
 * Returns the subprotocols to offer: the protocols, and the token if there is one.
 *
 * @throws {TypeError} When the token has a character that a header cannot have.
 */
function subprotocolsFor(token: unknown): string[] {
  if (token === undefined) return PROTOCOLS;
  if (typeof token !== "string" || !/^[\w!#$%&'*+.^`|~-]+$/.test(token)) {
    throw new TypeError("Cannot connect: no header could carry the token");
  }
  return [...PROTOCOLS, `bearer.${token}`];
}

/**
 * Reads a frame of the relay: JSON, and in a binary frame the data behind a line feed.
 *
 * @returns `undefined` where the text is no JSON object.
 */
function readFrame(content: string | ArrayBuffer): RelayFrame | undefined {
  try {
    const bytes = typeof content !== "string" && new Uint8Array(content);
    const end = bytes ? bytes.indexOf(10) : 0;
    const frame = JSON.parse(bytes ? new TextDecoder().decode(bytes.subarray(0, end)) : (content as string));
    if (bytes) frame.data = bytes.slice(end + 1);
    // The client trusts the relay to follow the protocol.
    return Object(frame) === frame ? frame : undefined;
  } catch {
    return undefined;
  }
}
