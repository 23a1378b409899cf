import type { OptionKind } from "../core/check-options.ts";
import type { RelayObserver } from "../core/session/observer.ts";
import type { AdmissionLimits } from "./admission.ts";
import type { Authorization } from "./authorization.ts";

/** Options of the routes to a relay: who may connect, and from where. */
export interface AppOptions extends AdmissionLimits {
  /**
   * Decides on each request for a connection, before the upgrade. The returned `id` becomes the session's id, in place
   * of the next number. A request is refused with 500 where the function throws or rejects, and with 503 where it has
   * not decided after 10 s. Default: every request is accepted.
   */
  readonly authorize?: ((request: Request) => Authorization | Promise<Authorization>) | undefined;
  /**
   * Origins of the pages that may connect, with commas between them: `https://example.org`, `https://*.example.org` for
   * its subdomains, `*` for any. A request without the header `Origin` does not come from a page, and is accepted.
   * Default: `*`.
   */
  readonly origins?: string | undefined;
  /**
   * Proxies that the relay trusts to report a client's address, as addresses or CIDR blocks with commas between them.
   * The client's address is the last hop in `X-Forwarded-For` or `Forwarded` that is not one of these proxies. The word
   * `unix` stands for a proxy that connects over a Unix socket: give it only where the server listens on no port.
   * Default: none; the headers are ignored.
   */
  readonly trustedProxies?: string | undefined;
  /**
   * Path in front of the routes, such as `/relay`, without a slash at its end. For a server that has the relay's routes
   * and nothing else; an app mounts them with `app.route("/relay", routes)`. Default: none.
   */
  readonly basePath?: string | undefined;
  /**
   * Receives the refused connections; also, as `failed` with the id `authorize`, each error that `authorize` throws.
   */
  readonly observer?: RelayObserver;
}

/** The kind that each option must have. */
export const APP_OPTION_KINDS = {
  authorize: "function",
  origins: "string",
  trustedProxies: "string",
  basePath: "string",
  observer: "object",
  maxConnectionsPerIp: "number",
  connectRate: "number",
  connectRatePerIp: "number",
} as const satisfies Record<keyof AppOptions, OptionKind>;
