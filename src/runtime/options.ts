import { createHmac } from "node:crypto";
import { checkOptions, type OptionKind, type OptionKinds } from "../core/check-options.ts";
import { RELAY_OPTION_KINDS, RELAY_OPTION_PARTS, type RelayOptions } from "../core/relay-options.ts";
import { APP_OPTION_KINDS, type AppOptions } from "../http/app-options.ts";

/** A relay and the routes to it. */
export type RuntimeOptions = Omit<RelayOptions, "signer"> &
  AppOptions & {
    /**
     * Signs resume tokens: with the same secret the next process gives a client its id back. A mark of its process then stands before
     * each sequential id. Default: none is signed.
     */
    readonly secret?: string | undefined;
  };

const { signer: _signer, ...OWN_KINDS } = RELAY_OPTION_KINDS;
const RUNTIME_OPTION_KINDS = { ...OWN_KINDS, ...APP_OPTION_KINDS, secret: "string" } as const satisfies Record<
  keyof RuntimeOptions,
  OptionKind
>;

/**
 * The options of the relay itself, with what every runtime here has, the end of a turn and HMAC-SHA256 (RFC 2104); and those of its routes.
 *
 * @throws {TypeError} When an option does not exist or is of a wrong type.
 */
export function splitOptions(options: RuntimeOptions): { readonly relay: RelayOptions; readonly app: AppOptions } {
  checkOptions("Cannot make a relay", options, RUNTIME_OPTION_KINDS, RELAY_OPTION_PARTS);
  const { secret } = options;
  const signer =
    secret === undefined
      ? undefined
      : { sign: (text: string) => createHmac("sha256", secret).update(text).digest("base64url") };
  return {
    relay: { schedule: setImmediate, ...pick(options, OWN_KINDS), signer },
    app: pick(options, APP_OPTION_KINDS),
  };
}

function pick<Options extends object>(options: Options, kinds: OptionKinds): Partial<Options> {
  const picked = Object.entries(options).filter(([name]) => Object.hasOwn(kinds, name));
  return Object.fromEntries(picked) as Partial<Options>; // Of the options, and nothing else.
}
