import { createHmac } from "node:crypto";
import { checkOptions, type OptionKind, type OptionKinds, readSecret } from "../core/check-options.ts";
import { RELAY_OPTION_KINDS, RELAY_OPTION_PARTS, type RelayOptions } from "../core/relay-options.ts";
import { APP_OPTION_KINDS, type AppOptions } from "../http/app-options.ts";

/** Options of a relay and of the routes to it. */
export type RuntimeOptions = Omit<RelayOptions, "signer"> &
  AppOptions & {
    /**
     * Secret that signs resume tokens, of at least 32 bytes of UTF-8. A later process with the same secret gives a
     * client its id back. Each sequential id then begins with a mark of the process that gave it. Default: tokens are
     * not signed.
     */
    readonly secret?: string | undefined;
  };

const { signer: _signer, ...RELAY_KINDS } = RELAY_OPTION_KINDS;
const RUNTIME_OPTION_KINDS = { ...RELAY_KINDS, ...APP_OPTION_KINDS, secret: "string" } as const satisfies Record<
  keyof RuntimeOptions,
  OptionKind
>;

/**
 * Splits the options into those of the relay and those of its routes. Adds to the relay's options what every runtime
 * here has: `setImmediate` for the end of a turn, and HMAC-SHA256 (RFC 2104) for signatures.
 *
 * @throws {TypeError} When an option does not exist or is of a wrong type.
 * @throws {RangeError} When the secret is too short.
 */
export function splitOptions(options: RuntimeOptions): { readonly relay: RelayOptions; readonly app: AppOptions } {
  checkOptions("Cannot make a relay", options, RUNTIME_OPTION_KINDS, RELAY_OPTION_PARTS);
  const key = options.secret === undefined ? undefined : readSecret("Cannot make a relay", options.secret);
  const signer =
    key === undefined
      ? undefined
      : { sign: (text: string) => createHmac("sha256", key).update(text).digest("base64url") };
  return {
    relay: { schedule: setImmediate, ...pick(options, RELAY_KINDS), signer },
    app: pick(options, APP_OPTION_KINDS),
  };
}

function pick<Options extends object>(options: Options, kinds: OptionKinds): Partial<Options> {
  const picked = Object.entries(options).filter(([name]) => Object.hasOwn(kinds, name));
  // fromEntries loses the type. Each entry is one of the options.
  return Object.fromEntries(picked) as Partial<Options>;
}
