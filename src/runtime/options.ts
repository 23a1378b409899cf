import { createHmac } from "node:crypto";
import type { RelayOptions } from "../core/relay-options.ts";
import type { AppOptions } from "../http/app.ts";

/** A relay and the routes to it. */
export type RuntimeOptions = Omit<RelayOptions, "signer"> &
  AppOptions & {
    /**
     * Signs resume tokens: with the same secret the next process gives a client its id back. A mark of its process then stands before
     * each sequential id. Default: none is signed.
     */
    readonly secret?: string | undefined;
  };

/** The options of the relay itself, with what every runtime here has: the end of a turn, and HMAC-SHA256 (RFC 2104). */
export function toRelayOptions({ secret, ...options }: RuntimeOptions): RelayOptions {
  const signer =
    secret === undefined
      ? undefined
      : { sign: (text: string) => createHmac("sha256", secret).update(text).digest("base64url") };
  return { schedule: setImmediate, ...options, signer };
}
