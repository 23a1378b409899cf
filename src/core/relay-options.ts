import type { OptionKind, OptionKinds } from "./check-options.ts";
import { ID_KINDS, type IdKind } from "./directory/registry.ts";
import type { TokenSigner } from "./directory/token-format.ts";
import { HOOK_KINDS, type RelayHooks } from "./hooks.ts";
import { DEFAULT_LIMITS, type Limits } from "./link/limits.ts";
import type { Schedule } from "./link/turn.ts";
import type { Protocol } from "./protocol/protocol.ts";
import type { Lease } from "./session/grant.ts";
import { OBSERVER_KINDS, type RelayObserver } from "./session/observer.ts";

/** Options of a relay on any runtime. */
export interface RelayOptions {
  /** Interval of the heartbeat, in milliseconds: the length of one beat. Default: 5000. */
  readonly heartbeatMs?: number;
  /** Beats in a row without a sign of life after which a connection is dropped. Default: 3. */
  readonly heartbeatMisses?: number;
  /** Time that a session may be without a connection, in milliseconds; 0: it ends with it. Default: 30000. */
  readonly resumeMs?: number;
  /** Limits that differ from the defaults, which are in `DEFAULT_LIMITS`. */
  readonly limits?: Partial<Limits>;
  /** Kind of the ids that the relay gives: 1, 2, 3 …, or random ones that cannot be guessed. Default: sequential. */
  readonly ids?: IdKind;
  /**
   * Signs resume tokens, so that clients can reclaim their ids from the next process. Sequential ids then start with a
   * prefix of their process. Default: tokens are not signed.
   */
  readonly signer?: TokenSigner | undefined;
  /** Time that a client has to answer a close frame, in milliseconds. Default: 2000. */
  readonly closeTimeoutMs?: number;
  /**
   * Runs a callback once, at the end of this turn of the event loop, such as `setImmediate`. Default: a microtask,
   * which joins only the frames that one received frame caused.
   */
  readonly schedule?: Schedule;
  /** Receives the events of the relay, for logs and metrics. */
  readonly observer?: RelayObserver;
  /** Callbacks of the app: they decide on messages, and learn when sessions begin and end. */
  readonly hooks?: RelayHooks;
}

/** Kinds of the options, for `checkOptions`. */
export const RELAY_OPTION_KINDS = {
  heartbeatMs: "number",
  heartbeatMisses: "number",
  resumeMs: "number",
  limits: "object",
  ids: ID_KINDS,
  signer: "object",
  closeTimeoutMs: "number",
  schedule: "function",
  observer: "object",
  hooks: "object",
} as const satisfies Record<keyof RelayOptions, OptionKind>;

const LIMIT_KINDS: OptionKinds = Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, "number"]));

/** Kinds of the options inside `limits`, `hooks` and `observer`, for `checkOptions`. */
export const RELAY_OPTION_PARTS = { limits: LIMIT_KINDS, hooks: HOOK_KINDS, observer: OBSERVER_KINDS } as const;

/** Origin of a client, as far as the entry knows it. */
export interface ClientOrigin {
  /** IP address of the client. */
  readonly address?: string | undefined;
  /** The header `Origin` of its request. */
  readonly origin?: string | undefined;
  /** Time at which its request came, by `performance.now()`. */
  readonly requestedAt?: number | undefined;
}

/** Content of a client's handshake, and what the app decided about the client. */
export interface Handshake extends Lease {
  /** Protocol of the connection. Default: the plain protocol. */
  readonly protocol?: Protocol;
  /** Id that the app gave the client. A session that has the id closes with 4500. Default: a new id. */
  readonly id?: string | undefined;
  /** Token of the session that the client wants to resume. */
  readonly resume?: string | undefined;
  /**
   * Number of the client's attempt to connect, counted up by the client. An attempt that was delayed on the way must
   * not take the session from a later one.
   */
  readonly attempt?: number | undefined;
  /** Origin of the client. */
  readonly client?: ClientOrigin | undefined;
}
