/**
 * The parts that are the same on every runtime: the relay, its options, and the checks of who may connect. An app gets
 * `createNodeRelay`, `createBunRelay` or `createDenoRelay` from the entry of its runtime; docs/server.md describes
 * them.
 *
 * @module hono-relay
 */

export type { TokenSigner } from "./core/directory/token-format.ts";
export type { MessageInTransit, MessageVerdict, RelayHooks } from "./core/hooks.ts";
export { CLOSE_CODES, type CloseCode } from "./core/link/close-codes.ts";
export type { Connection } from "./core/link/connection.ts";
export type { Ending } from "./core/link/ending.ts";
export type { Limits } from "./core/link/limits.ts";
export type { Link } from "./core/link/link.ts";
export type { Place } from "./core/link/places.ts";
export type { Schedule } from "./core/link/turn.ts";
export type { ErrorCode } from "./core/protocol/errors.ts";
export { Frame, type Payload } from "./core/protocol/frame.ts";
export { Message } from "./core/protocol/message.ts";
export { negotiate } from "./core/protocol/negotiate.ts";
export type { ProtocolName } from "./core/protocol/protocol.ts";
export { Relay, type ShutdownOptions } from "./core/relay.ts";
export type { ClientOrigin, Handshake, RelayOptions } from "./core/relay-options.ts";
export type {
  CommandError,
  CommandResult,
  Counts,
  DisconnectOptions,
  Failed,
  Holdings,
  PageQuery,
  PublishOptions,
  PublishResult,
  RelayStats,
  RoomDetails,
  RoomPage,
  RoomQuery,
  SendResult,
  ServerApi,
  SessionDetails,
  SessionInfo,
  SessionPage,
  SessionQuery,
} from "./core/server-api.ts";
export { combineObservers } from "./core/session/combine-observers.ts";
export type { Grant } from "./core/session/grant.ts";
export type { ConnectionDetails, RefusedConnection, RelayObserver } from "./core/session/observer.ts";
export { createApp } from "./http/app.ts";
export type { AppOptions } from "./http/app-options.ts";
export type { Authorization } from "./http/authorization.ts";
export { createJwtAuthorize, type JwtOptions } from "./http/jwt.ts";
export type { Open, Runtime, UpgradeWebSocket } from "./http/runtime.ts";
