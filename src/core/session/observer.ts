import type { Ending } from "../link/ending.ts";
import type { Frame } from "../protocol/frame.ts";

/** Origin and protocol of a connection. */
export interface ConnectionDetails {
  /** Address of the client; `undefined` if it is not known. */
  readonly address: string | undefined;
  /** Origin of the client's page (header `Origin`); `undefined` for a client that is not a browser. */
  readonly origin: string | undefined;
  /** `relay.v1.json`, `relay.v1.json-bytes`, `relay.v1.text`, `plain` or `echo`. */
  readonly protocol: string;
  /** Time from the request to the open socket, in milliseconds; absent if the entry does not report it. */
  readonly handshakeMs?: number | undefined;
}

/** A handshake that was refused. Each text has at most 200 characters. */
export interface RefusedConnection {
  /** Address of the client; `undefined` if it is not known. */
  readonly address: string | undefined;
  /** Origin of the client's page (header `Origin`); `undefined` for a client that is not a browser. */
  readonly origin: string | undefined;
  /** Path of the request, without its query. */
  readonly path: string;
  /** HTTP status of the refusal, even if the relay refused by a close frame. */
  readonly status: number;
  /** Code of the refusal, such as `unauthorized` or `full`; docs/protocol.md lists them. */
  readonly code: string;
  /** The sentence that the client received. */
  readonly message: string;
  /** Time from the request to its refusal, in milliseconds. */
  readonly handshakeMs: number;
}

/**
 * Receives the events of a relay, for logs and metrics. All members are optional. `id` is the id of the session, or
 * `echo` for a connection of the echo. An error that a member throws is reported to `failed`; if `received` or `sent`
 * throws, the relay also closes that connection with 1011.
 */
export interface RelayObserver {
  /** A session began, or a connection of the echo. */
  connected?(id: string, details: ConnectionDetails): void;
  /** A handshake was refused: no session began. */
  refused?(refused: RefusedConnection): void;
  /** The client sent a frame. */
  received?(id: string, frame: Frame): void;
  /**
   * The relay has handled a frame of a client: decoded it, and queued what it causes for writing. Called for one frame
   * in 256; a frame that failed by an exception is left out.
   */
  handled?(durationMs: number): void;
  /** The relay sends a message to the client. */
  sent?(id: string, frame: Frame): void;
  /** The client answered a ping. */
  beat?(id: string): void;
  /** The client missed a beat. `misses`: beats in a row without a sign of life. */
  missed?(id: string, misses: number): void;
  /** The session lost its connection, and may be resumed. */
  away?(id: string, ending: Ending): void;
  /** The session was resumed over another connection. `wasAway`: it had none. */
  resumed?(id: string, wasAway: boolean): void;
  /** The session ended, or the connection of the echo. */
  left?(id: string, ending: Ending): void;
  /** The room has its first member, which is the session. */
  occupied?(room: string, id: string): void;
  /** The room has no members any more. The session was the last one. */
  emptied?(room: string, id: string): void;
  /** The relay threw an error, or a hook, `authorize` or another member of the observer did. */
  failed?(id: string, error: unknown): void;
}

export const OBSERVER_KINDS = {
  connected: "function",
  refused: "function",
  received: "function",
  handled: "function",
  sent: "function",
  beat: "function",
  missed: "function",
  away: "function",
  resumed: "function",
  left: "function",
  occupied: "function",
  emptied: "function",
  failed: "function",
} as const satisfies Record<keyof RelayObserver, "function">;

/** An observer whose member `failed` is present. */
export type GuardedObserver = RelayObserver & Required<Pick<RelayObserver, "failed">>;

/**
 * Wraps the observer so that its members do not throw into the relay. `received` and `sent` are not wrapped, as they
 * are called for each message: their callers catch errors. If the observer has no `failed`, errors go to
 * `console.error`.
 */
export function guardObserver(observer: RelayObserver = {}): GuardedObserver {
  const failed = (id: string, error: unknown): void => {
    try {
      if (observer.failed === undefined) console.error(`The relay, or the app around it, failed on ${id}:`, error);
      else observer.failed(id, error);
    } catch {
      // `failed` itself threw, and there is nobody left to report to.
    }
  };
  const guard =
    <Args extends unknown[]>(report: ((...args: Args) => void) | undefined) =>
    (...args: Args): void => {
      try {
        report?.apply(observer, args);
      } catch (error) {
        failed("observer", error);
      }
    };
  return {
    connected: guard(observer.connected),
    refused: guard(observer.refused),
    beat: guard(observer.beat),
    missed: guard(observer.missed),
    away: guard(observer.away),
    resumed: guard(observer.resumed),
    left: guard(observer.left),
    occupied: guard(observer.occupied),
    emptied: guard(observer.emptied),
    failed,
    ...(observer.handled && { handled: guard(observer.handled) }),
    ...(observer.received && { received: observer.received.bind(observer) }),
    ...(observer.sent && { sent: observer.sent.bind(observer) }),
  };
}
