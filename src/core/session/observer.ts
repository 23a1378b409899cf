import type { Ending } from "../link/ending.ts";
import type { Frame } from "../protocol/frame.ts";

/** Where a connection comes from, and what it speaks. */
export interface ConnectionDetails {
  /** Address of the client; `undefined` where it is not known. */
  readonly address: string | undefined;
  /** The page that the client belongs to (header `Origin`); `undefined` for a client that is no browser. */
  readonly origin: string | undefined;
  /** `relay.v1.json`, `relay.v1.text`, `plain` or `echo`. */
  readonly protocol: string;
}

/** A request for a WebSocket that was refused. Each text is at most 200 characters. */
export interface RefusedConnection {
  /** Address of the client; `undefined` where it is not known. */
  readonly address: string | undefined;
  /** The page that the client belongs to (header `Origin`); `undefined` for a client that is no browser. */
  readonly origin: string | undefined;
  /** Path of the request, without its query. */
  readonly path: string;
  /** HTTP status of the refusal, also where the client is told by a close frame. */
  readonly status: number;
  /** Code of the refusal, such as `unauthorized` or `full`; docs/protocol.md lists them. */
  readonly code: string;
  /** The sentence that the client is told. */
  readonly message: string;
}

/**
 * What a relay reports as it goes, for logs and metrics. A member that is left out costs a comparison.
 * `id` is the session's, or `echo` for a connection of the echo. What one of these throws is reported to `failed`;
 * what `received` or `sent` throws counts as a fault of the relay on that connection.
 */
export interface RelayObserver {
  /** A session has begun, or a connection of the echo. */
  connected?(id: string, details: ConnectionDetails): void;
  /** A request for a WebSocket was refused: nothing was opened for it. */
  refused?(refused: RefusedConnection): void;
  /** A frame came from the client. */
  received?(id: string, frame: Frame): void;
  /** A frame goes to the client. */
  sent?(id: string, frame: Frame): void;
  /** The client has answered a ping. */
  beat?(id: string): void;
  /** The client has let this many beats in a row pass without a sign of life. */
  missed?(id: string, misses: number): void;
  /** The session has lost its connection, and may come back. */
  away?(id: string, ending: Ending): void;
  /** The session goes on over another connection. */
  resumed?(id: string): void;
  /** The session is over, or the connection of the echo. */
  left?(id: string, ending: Ending): void;
  /** The relay has failed, or a hook, `authorize` or another member of the observer. */
  failed?(id: string, error: unknown): void;
}

export const OBSERVER_KINDS = {
  connected: "function",
  refused: "function",
  received: "function",
  sent: "function",
  beat: "function",
  missed: "function",
  away: "function",
  resumed: "function",
  left: "function",
  failed: "function",
} as const satisfies Record<keyof RelayObserver, "function">;

/** An observer that is told of each failure. */
export type GuardedObserver = RelayObserver & Required<Pick<RelayObserver, "failed">>;

/**
 * Wraps the observer so that its members do not throw into the relay, except `received` and `sent`, whose callers catch it. Where it has no
 * `failed`, failures go to `console.error`.
 */
export function guardObserver(observer: RelayObserver = {}): GuardedObserver {
  const failed = (id: string, error: unknown): void => {
    try {
      if (observer.failed === undefined) console.error(`The relay, or the app around it, failed on ${id}:`, error);
      else observer.failed(id, error);
    } catch {
      // The last one to tell has failed itself.
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
    failed,
    ...(observer.received && { received: observer.received.bind(observer) }),
    ...(observer.sent && { sent: observer.sent.bind(observer) }),
  };
}
