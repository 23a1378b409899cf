import type { OptionKind, OptionKinds } from "./check-options.ts";
import { ID_KINDS, type IdKind } from "./directory/registry.ts";
import type { TokenSigner } from "./directory/token-format.ts";
import { HOOK_KINDS, type RelayHooks } from "./hooks.ts";
import { DEFAULT_LIMITS, type Limits } from "./link/limits.ts";
import type { Schedule } from "./link/turn.ts";
import type { Protocol } from "./protocol/protocol.ts";
import type { Lease } from "./session/grant.ts";
import { OBSERVER_KINDS, type RelayObserver } from "./session/observer.ts";

/** Options of a relay, whatever runtime it is on. */
export interface RelayOptions {
  /** Milliseconds of one beat of the heartbeat. Default: 5000. */
  readonly heartbeatMs?: number;
  /** Beats that a connection may let pass in silence before it is dropped. Default: 3. */
  readonly heartbeatMisses?: number;
  /** Milliseconds that a session may be without a connection; 0: it ends with its connection. Default: 30000. */
  readonly resumeMs?: number;
  /** Default: those of `DEFAULT_LIMITS`. */
  readonly limits?: Partial<Limits>;
  /** How clients get their ids: 1, 2, 3 …, or unguessable ones. Default: sequential. */
  readonly ids?: IdKind;
  /**
   * Signs resume tokens, so that a client can have its id again from the process after this one; a mark of its process then stands
   * before each sequential id. Default: none are signed.
   */
  readonly signer?: TokenSigner | undefined;
  /** Milliseconds that a client has to answer a close. Default: 2000. */
  readonly closeTimeoutMs?: number;
  /**
   * Calls the function once, at the end of this turn of the event loop; `setImmediate` where there is one.
   * Default: a microtask, which joins only what one frame brought about.
   */
  readonly schedule?: Schedule;
  readonly observer?: RelayObserver;
  readonly hooks?: RelayHooks;
}

/** Kinds of the options. */
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

/** Kinds of what the options `limits`, `hooks` and `observer` hold. */
export const RELAY_OPTION_PARTS = { limits: LIMIT_KINDS, hooks: HOOK_KINDS, observer: OBSERVER_KINDS } as const;

/** Where a client is, as far as the entry knows. */
export interface ClientOrigin {
  readonly address?: string | undefined;
  /** The header `Origin` of its request. */
  readonly origin?: string | undefined;
}

/** What a client said when it asked for its connection, and what the app made of it. */
export interface Handshake extends Lease {
  readonly protocol?: Protocol;
  /** The id that the app gave its bearer; the next number without one. Who had it is closed as replaced. */
  readonly id?: string | undefined;
  /** The token of the session that the client wants to go on with. */
  readonly resume?: string | undefined;
  /**
   * Which of the client's attempts to connect this is, counted up. One that was held up on the way and comes after a later one must
   * not take the session away from it.
   */
  readonly attempt?: number | undefined;
  /** For the observer alone. */
  readonly client?: ClientOrigin | undefined;
}

/** What a relay holds. */
export interface Holdings {
  /** Open sockets, those of the echo and those that are closing among them. */
  readonly connections: number;
  /** Sessions that can be sent to, those that are away among them. */
  readonly sessions: number;
  /** Rooms with members. */
  readonly rooms: number;
  /** Ids that somebody watches. */
  readonly watches: number;
  /** Messages in mailboxes. */
  readonly waitingMessages: number;
  /**
   * What counts against `maxTotalBufferedBytes`, in counted bytes, of which each stands for four: messages that wait, in mailboxes and for
   * connections (UTF-16 units where one is a string), sessions that are away, rooms and watches.
   */
  readonly bufferedBytes: number;
}
