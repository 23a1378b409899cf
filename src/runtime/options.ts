import { createHmac } from "node:crypto";
import { checkOptionNames, type OptionNames } from "../core/option-names.ts";
import { RELAY_OPTION_NAMES, RELAY_OPTION_PARTS, type RelayOptions } from "../core/relay-options.ts";
import { APP_OPTION_NAMES, type AppOptions } from "../http/app.ts";

/** A relay and the routes to it. */
export type RuntimeOptions = Omit<RelayOptions, "signer"> &
  AppOptions & {
    /**
     * Signs resume tokens: with the same secret the next process gives a client its id back. A mark of its process then stands before
     * each sequential id. Default: none is signed.
     */
    readonly secret?: string | undefined;
  };

const { signer: _signer, ...OWN_NAMES } = RELAY_OPTION_NAMES;
const RUNTIME_OPTION_NAMES = { ...OWN_NAMES, ...APP_OPTION_NAMES, secret: true } as const satisfies Record<
  keyof RuntimeOptions,
  true
>;

/**
 * The options of the relay itself, with what every runtime here has, the end of a turn and HMAC-SHA256 (RFC 2104); and those of its routes.
 *
 * @throws {TypeError} When there is no such option, limit or hook.
 */
export function splitOptions(options: RuntimeOptions): { readonly relay: RelayOptions; readonly app: AppOptions } {
  checkOptionNames("Cannot make a relay", options, RUNTIME_OPTION_NAMES, RELAY_OPTION_PARTS);
  const { secret } = options;
  const signer =
    secret === undefined
      ? undefined
      : { sign: (text: string) => createHmac("sha256", secret).update(text).digest("base64url") };
  return {
    relay: { schedule: setImmediate, ...pick(options, OWN_NAMES), signer },
    app: pick(options, APP_OPTION_NAMES),
  };
}

function pick<Options extends object>(options: Options, names: OptionNames): Partial<Options> {
  const picked = Object.entries(options).filter(([name]) => Object.hasOwn(names, name));
  return Object.fromEntries(picked) as Partial<Options>; // Of the options, and nothing else.
}
