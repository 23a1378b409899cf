export { CLOSE_CODES, type CloseCode } from "./core/close-codes.ts";
export type { Connection } from "./core/connection.ts";
export { Frame, type Payload } from "./core/frame.ts";
export type { Limits } from "./core/limits.ts";
export type { Ending, Link } from "./core/link.ts";
export { Message } from "./core/message.ts";
export type { ConnectionDetails, RefusedConnection, RelayObserver } from "./core/observer.ts";
export type { Place } from "./core/places.ts";
export { negotiate } from "./core/protocol/negotiate.ts";
export { Relay } from "./core/relay.ts";
export type { ClientOrigin, Handshake, Holdings, RelayOptions } from "./core/relay-options.ts";
export type { Passing, RelayHooks } from "./core/router.ts";
export {
  type AppOptions,
  type Authorization,
  createApp,
  type Open,
  type Runtime,
  type UpgradeWebSocket,
} from "./http/app.ts";
export { createJwtAuthorize, type JwtOptions } from "./http/jwt.ts";
