export { CLOSE_CODES, type CloseCode } from "./core/close-codes.ts";
export type { Connection } from "./core/connection.ts";
export { Frame, type Payload } from "./core/frame.ts";
export type { Limits } from "./core/limits.ts";
export type { Ending, Link } from "./core/link.ts";
export type { RelayObserver } from "./core/observer.ts";
export { type Handshake, Relay, type RelayOptions } from "./core/relay.ts";
export { createApp, type Open, type UpgradeWebSocket } from "./http/app.ts";
