import type { OptionKind } from "../core/check-options.ts";
import type { RelayObserver } from "../core/session/observer.ts";
import type { AdmissionLimits } from "./admission.ts";
import type { Authorization } from "./authorization.ts";

/** Options of the routes to a relay: who may connect, and from where. */
export interface AppOptions extends AdmissionLimits {
  /**
   * Decides on each request for a connection before it is upgraded; what it throws or rejects with refuses the request
   * with 500, and an answer that takes longer than 10 s comes too late. An `id` that it returns is the session's, in place of the next
   * number.
   */
  readonly authorize?: ((request: Request) => Authorization | Promise<Authorization>) | undefined;
  /**
   * The pages that may connect, with commas between them: `https://example.org`, `https://*.example.org` for its subdomains, `*`
   * for any. A request without an Origin comes from no browser, and is let through. Default: `*`.
   */
  readonly origins?: string | undefined;
  /**
   * The proxies whose word on the client's address counts, as addresses or CIDR blocks with commas between them: it is the last hop
   * in `Forwarded` or `X-Forwarded-For` that is none of them. Default: none, the headers are ignored.
   */
  readonly trustedProxies?: string | undefined;
  /** Told of refused connections, and of what `authorize` throws, as of a failure on `authorize`. */
  readonly observer?: RelayObserver;
}

/** Kinds of the options. */
export const APP_OPTION_KINDS = {
  authorize: "function",
  origins: "string",
  trustedProxies: "string",
  observer: "object",
  maxConnectionsPerIp: "number",
  connectRate: "number",
  connectRatePerIp: "number",
} as const satisfies Record<keyof AppOptions, OptionKind>;
