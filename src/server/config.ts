import { Command, CommanderError, Option } from "commander";
import { z } from "zod";
import { MIN_SECRET_BYTES } from "../core/check-options.ts";
import { isApiKey } from "../http/admin/keys.ts";
import { isBasePath } from "../http/app.ts";
import { parseTrustedProxies } from "../http/client-address.ts";
import { parseOrigins } from "../http/origins.ts";
import { FORMATS, LEVELS, METRICS, SETTINGS, type Setting } from "./settings.ts";

const BYTES_MAX = 1_073_741_824;

/** Accepts a whole number in a range. The error names the range. */
function wholeNumber(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d+$/, expected)
    .transform(Number)
    .refine((value) => value >= min && value <= max, expected);
}

/** Accepts a bound, a whole number up to `max`. 0 means no bound. */
function bound(max: number) {
  return wholeNumber(0, max).transform((value) => (value === 0 ? Number.POSITIVE_INFINITY : value));
}

/** Accepts text that passes the check, or empty text, which becomes `undefined`. */
function optional(check: (text: string) => boolean, expected: string) {
  return z
    .string()
    .refine((text) => text === "" || check(text), expected)
    .transform((text) => (text === "" ? undefined : text));
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

const encoder = new TextEncoder();

/** Longest path of a Unix socket on Linux: 108 bytes with the NUL at its end (`man 7 unix`). */
const SOCKET_PATH_BYTES = 107;

function isSocketPath(text: string): boolean {
  return /^\/.*[^/]$/.test(text) && encoder.encode(text).length <= SOCKET_PATH_BYTES;
}

const secret = optional(
  (text) => encoder.encode(text).length >= MIN_SECRET_BYTES,
  `at least ${MIN_SECRET_BYTES} bytes, such as openssl rand -base64 32 prints`,
);

const apiKeys = z
  .string()
  .transform((text) => (text === "" ? [] : text.split(",")))
  .refine(
    (keys) => keys.every(isApiKey),
    `one or more keys of at least ${MIN_SECRET_BYTES} characters of A-Z a-z 0-9 . _ ~ + / -, such as ` +
      "openssl rand -base64 32 prints, with commas between them",
  );

const LOG_EXPECTED = `a level (${LEVELS.join(", ")}), or a level, a comma and a format (${FORMATS.join(", ")})`;

const log = z
  .string()
  .transform((text) => text.split(","))
  .pipe(z.union([z.tuple([z.enum(LEVELS)]), z.tuple([z.enum(LEVELS), z.enum(FORMATS)])], LOG_EXPECTED))
  .transform(([level, format = "auto"]) => ({ level, format }));

const schema = z.object({
  host: z.string().regex(/^[^\s/]+$/, "a host name or an address"),
  port: wholeNumber(0, 65535),
  socket: optional(isSocketPath, `an absolute path of at most ${SOCKET_PATH_BYTES} bytes`),
  basePath: z.string().refine(isBasePath, "a path such as /relay, without a slash at its end"),
  tlsCert: optional(() => true, ""),
  tlsKey: optional(() => true, ""),
  heartbeatMs: wholeNumber(50, 3_600_000),
  heartbeatMisses: wholeNumber(1, 1000),
  maxMessageBytes: wholeNumber(1, BYTES_MAX),
  maxBufferedBytes: wholeNumber(1, BYTES_MAX),
  maxTotalBufferedBytes: wholeNumber(1, 1024 * BYTES_MAX),
  maxConnections: bound(10_000_000),
  maxSessions: bound(10_000_000),
  maxConnectionsPerIp: bound(10_000_000),
  connectRate: bound(1_000_000),
  connectRatePerIp: bound(1_000_000),
  maxRoomsPerSession: wholeNumber(1, 1_000_000),
  maxWatchesPerSession: wholeNumber(1, 1_000_000),
  maxMailboxMessages: wholeNumber(1, 1_000_000),
  maxMailboxBytes: wholeNumber(1, BYTES_MAX),
  rate: bound(1_000_000),
  rateBurst: bound(1_000_000),
  rateBytes: bound(BYTES_MAX),
  ids: z.enum(["sequential", "random"], "sequential or random"),
  origins: z.string().refine((text) => parseOrigins(text) !== undefined, "origins with commas between them, or *"),
  jwtSecret: secret,
  jwksUrl: optional(isHttpUrl, "a URL of http or https"),
  jwtAudience: optional(() => true, ""),
  jwtIssuer: optional(() => true, ""),
  secret,
  apiKeys,
  adminPort: wholeNumber(0, 65_535),
  metrics: z.enum(METRICS, METRICS.join(", ")),
  trustedProxies: optional(
    (text) => parseTrustedProxies(text) !== undefined,
    "addresses or CIDR blocks with commas between them, or unix",
  ),
  resumeMs: wholeNumber(0, 86_400_000),
  drainDelayMs: wholeNumber(0, 3_600_000),
  drainMs: wholeNumber(0, 3_600_000),
  log,
}) satisfies z.ZodType<unknown, Record<keyof typeof SETTINGS, string>>;

/** All settings after the check. Durations are in milliseconds, sizes in bytes. */
export type Config = z.output<typeof schema>;

/** The result of reading the settings. */
export type ConfigResult =
  | { readonly type: "config"; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly type: "help"; readonly text: string }
  | { readonly type: "version" }
  | { readonly type: "wrong"; readonly problems: readonly string[] };

const NAMES = Object.keys(SETTINGS) as (keyof typeof SETTINGS)[]; // Object.keys returns string[].

/** Returns the flag of a setting, such as `--heartbeat-ms`. */
export function flagOf(setting: Setting): string {
  return `--${setting.variable
    .replace(/^RELAY_/, "")
    .toLowerCase()
    .replaceAll("_", "-")}`;
}

/**
 * Reads the settings from flags, variables and defaults, in this order. An empty variable counts as absent.
 *
 * @param env The environment.
 * @param args The command line, without the program's own name.
 * @returns The settings, or a sentence for each problem; or that `--help` or `--version` was given.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, args: readonly string[]): ConfigResult {
  const command = buildCommand();
  if (args.includes("--help") || args.includes("-h")) return { type: "help", text: command.helpInformation() };
  if (args.includes("--version") || args.includes("-V")) return { type: "version" };
  const problems: string[] = [];
  let unknownWords: readonly string[] = [];
  try {
    const { unknown, operands } = command.parseOptions([...args]);
    const isUnknownFlag = (word: string | undefined) => word?.startsWith("-") === true && unknown.includes(word);
    const isValue = (word: string) => args.some((arg, at) => arg === word && isUnknownFlag(args[at - 1]));
    // The word after an unknown flag is taken for the flag's value, so that only the flag is reported.
    unknownWords = [...unknown.filter((word) => word.startsWith("-") || !isValue(word)), ...operands];
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    problems.push(error.message.replace(/^error: /, "Cannot start: "));
  }
  for (const word of unknownWords) {
    problems.push(`Cannot start: there is no ${word.startsWith("-") ? "flag" : "argument"} ${word}; see --help`);
  }

  const flags: Record<string, string | undefined> = command.opts();
  /** The flag or the variable that a value came from, by the setting's name. */
  const sources = new Map<PropertyKey, string>();
  const secrets = new Set<PropertyKey>();
  const raw: Record<string, string> = {};
  for (const name of NAMES) {
    const setting: Setting = SETTINGS[name];
    if (setting.isSecret === true) secrets.add(name);
    const flag = flags[name];
    sources.set(name, flag === undefined ? setting.variable : flagOf(setting));
    raw[name] = flag ?? (env[setting.variable] || setting.default);
  }

  const result = schema.safeParse(raw);
  for (const issue of result.error?.issues ?? []) {
    const name = issue.path[0] ?? "";
    // The value of a secret must not be printed.
    const fault = secrets.has(name) ? "wrong:" : `${JSON.stringify(raw[String(name)])},`;
    problems.push(`Cannot start: ${sources.get(name)} is ${fault} expected ${issue.message}`);
  }
  if (result.success) problems.push(...findOpenDoor(result.data, sources), ...findHalfOfTls(result.data, sources));
  if (!result.success || problems.length > 0) return { type: "wrong", problems: [...new Set(problems)] };
  return {
    type: "config",
    config: result.data,
    warnings: [...warningsOnVariables(env), ...findIdle(result.data, sources)],
  };
}

/** Names each claim that tokens must have where no key is set: the relay would check no token, and let everybody in. */
function findOpenDoor(config: Config, sources: ReadonlyMap<PropertyKey, string>): string[] {
  if (config.jwtSecret !== undefined || config.jwksUrl !== undefined) return [];
  return (["jwtAudience", "jwtIssuer"] as const)
    .filter((name) => config[name] !== undefined)
    .map(
      (name) => `Cannot start: ${sources.get(name)} needs RELAY_JWT_SECRET or RELAY_JWKS_URL, which check the token`,
    );
}

/** Names the file of TLS that is set without the other one, and TLS on a Unix socket, which would protect nothing. */
function findHalfOfTls({ tlsCert, tlsKey, socket }: Config, sources: ReadonlyMap<PropertyKey, string>): string[] {
  if (tlsCert === undefined && tlsKey === undefined) return [];
  if (tlsKey === undefined) return [`Cannot start: ${sources.get("tlsCert")} needs RELAY_TLS_KEY, its key`];
  if (tlsCert === undefined) return [`Cannot start: ${sources.get("tlsKey")} needs RELAY_TLS_CERT, its certificate`];
  return socket === undefined ? [] : [`Cannot start: ${sources.get("socket")} and RELAY_TLS_CERT exclude each other`];
}

/** Names each setting that does nothing without another one. */
function findIdle({ rate, rateBurst }: Config, sources: ReadonlyMap<PropertyKey, string>): string[] {
  if (Number.isFinite(rate) || !Number.isFinite(rateBurst)) return [];
  return [`${sources.get("rateBurst")} does nothing without RELAY_RATE`];
}

function buildCommand(): Command {
  const command = new Command("hono-relay")
    .description(
      "A WebSocket relay: every client that connects gets an id, and id:message reaches the client with that id.",
    )
    .helpOption("-h, --help", "Show this help")
    .version("", "-V, --version", "Show the version")
    .configureOutput({ writeErr: () => {} })
    .configureHelp({ helpWidth: 100 })
    .exitOverride();
  for (const name of NAMES) {
    const setting: Setting = SETTINGS[name];
    const letter = setting.letter === undefined ? "" : `-${setting.letter}, `;
    const option = new Option(
      `${letter}${flagOf(setting)} <${setting.placeholder}>`,
      `${setting.description} (${setting.variable}, default ${setting.default || "none"})`,
    );
    option.attributeName = () => name;
    command.addOption(option);
  }
  return command;
}

function warningsOnVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set<string>(NAMES.map((name) => SETTINGS[name].variable));
  const unknown = Object.keys(env).filter((variable) => variable.startsWith("RELAY_") && !known.has(variable));
  if (unknown.length === 0) return [];
  return [`Not settings of the relay, and ignored: ${unknown.sort().join(", ")}`];
}
