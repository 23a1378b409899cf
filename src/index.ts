export { CLOSE_CODES, type CloseCode } from "./core/link/close-codes.ts";
export type { Connection } from "./core/link/connection.ts";
export type { Limits } from "./core/link/limits.ts";
export type { Ending, Link } from "./core/link/link.ts";
export type { Place } from "./core/link/places.ts";
export { Frame, type Payload } from "./core/protocol/frame.ts";
export { Message } from "./core/protocol/message.ts";
export { negotiate } from "./core/protocol/negotiate.ts";
export { Relay } from "./core/relay.ts";
export type { ClientOrigin, Handshake, Holdings, RelayOptions } from "./core/relay-options.ts";
export type { Passing, RelayHooks } from "./core/router.ts";
export type { ConnectionDetails, RefusedConnection, RelayObserver } from "./core/session/observer.ts";
export {
  type AppOptions,
  type Authorization,
  createApp,
  type Open,
  type Runtime,
  type UpgradeWebSocket,
} from "./http/app.ts";
export { createJwtAuthorize, type JwtOptions } from "./http/jwt.ts";
