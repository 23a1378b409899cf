import type { SessionInfo } from "./server-api.ts";
import type { Session } from "./session/session.ts";

/** Describes a session for the app around the relay. */
export function sessionInfo({ id, protocol, address, data }: Session): SessionInfo {
  return { id, protocol: protocol.name ?? "plain", address, data };
}
