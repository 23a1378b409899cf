import { Command, CommanderError, Option } from "commander";
import { z } from "zod";

const BYTES_MAX = 1_073_741_824;

/** A whole number in a range, with its range as what the error says was expected. */
function wholeNumber(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d+$/, expected)
    .transform(Number)
    .refine((value) => value >= min && value <= max, expected);
}

const LEVELS = ["debug", "info", "warning", "error", "off"] as const;
const FORMATS = ["auto", "pretty", "json"] as const;
const LOG_EXPECTED = `a level (${LEVELS.join(", ")}), or a level, a comma and a format (${FORMATS.join(", ")})`;

const log = z
  .string()
  .transform((text) => text.split(","))
  .pipe(z.union([z.tuple([z.enum(LEVELS)]), z.tuple([z.enum(LEVELS), z.enum(FORMATS)])], LOG_EXPECTED))
  .transform(([level, format = "auto"]) => ({ level, format }));

/** One setting: the same name in the environment and, without `RELAY_` and in lower case, as a flag. */
interface Setting {
  readonly variable: string;
  readonly placeholder: string;
  readonly description: string;
  readonly default: string;
}

/** Every setting there is, by its name in Config. */
const SETTINGS = {
  host: { variable: "HOST", placeholder: "address", description: "Address to listen on", default: "127.0.0.1" },
  port: {
    variable: "PORT",
    placeholder: "number",
    description: "Port to listen on; 0 takes any free one",
    default: "8080",
  },
  heartbeatMs: {
    variable: "RELAY_HEARTBEAT_MS",
    placeholder: "ms",
    description: "One beat: a silent connection is pinged this often",
    default: "5000",
  },
  heartbeatMisses: {
    variable: "RELAY_HEARTBEAT_MISSES",
    placeholder: "beats",
    description: "Unanswered beats after which a connection is dropped",
    default: "3",
  },
  maxMessageBytes: {
    variable: "RELAY_MAX_MESSAGE_BYTES",
    placeholder: "bytes",
    description: "Largest frame a client may send, address included; a larger one closes its connection with 1009",
    default: "1048576",
  },
  maxBufferedBytes: {
    variable: "RELAY_MAX_BUFFERED_BYTES",
    placeholder: "bytes",
    description: "With more than this waiting for a connection, further messages to it are refused",
    default: "1048576",
  },
  maxConnections: {
    variable: "RELAY_MAX_CONNECTIONS",
    placeholder: "number",
    description: "Connections at the same time, then 503; 0 sets no bound",
    default: "0",
  },
  maxRoomsPerSession: {
    variable: "RELAY_MAX_ROOMS_PER_SESSION",
    placeholder: "number",
    description: "Rooms that one session may be in",
    default: "100",
  },
  resumeMs: {
    variable: "RELAY_RESUME_MS",
    placeholder: "ms",
    description: "How long a session of relay.v1.json may be without a connection; 0 ends it with its connection",
    default: "30000",
  },
  log: {
    variable: "RELAY_LOG",
    placeholder: "level[,format]",
    description: `Log ${LEVELS.join(", ")} and above, as ${FORMATS.join(", ")}; auto is pretty on a terminal, JSON lines otherwise`,
    default: "info",
  },
} as const satisfies Record<string, Setting>;

const schema = z.object({
  host: z.string().regex(/^[^\s/]+$/, "a host name or an address"),
  port: wholeNumber(0, 65535),
  heartbeatMs: wholeNumber(50, 3_600_000),
  heartbeatMisses: wholeNumber(1, 1000),
  maxMessageBytes: wholeNumber(1, BYTES_MAX),
  maxBufferedBytes: wholeNumber(1, BYTES_MAX),
  maxConnections: wholeNumber(0, 10_000_000).transform((value) => (value === 0 ? Number.POSITIVE_INFINITY : value)),
  maxRoomsPerSession: wholeNumber(1, 1_000_000),
  resumeMs: wholeNumber(0, 86_400_000),
  log,
}) satisfies z.ZodType<unknown, Record<keyof typeof SETTINGS, string>>;

/** All settings, checked. Durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof schema>;

/** What came of reading the settings. */
export type ConfigResult =
  | { readonly type: "config"; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly type: "help"; readonly text: string }
  | { readonly type: "wrong"; readonly problems: readonly string[] };

const NAMES = Object.keys(SETTINGS) as (keyof typeof SETTINGS)[]; // Object.keys forgets the type of its own constant.

function flagOf(setting: Setting): string {
  return `--${setting.variable
    .replace(/^RELAY_/, "")
    .toLowerCase()
    .replaceAll("_", "-")}`;
}

/**
 * Reads the settings: a flag counts before the variable, an empty variable as none.
 *
 * @param env The environment.
 * @param args The command line, without the program's own name.
 * @returns The settings, or a sentence for each thing that is wrong with them.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, args: readonly string[]): ConfigResult {
  const command = buildCommand();
  if (args.includes("--help") || args.includes("-h")) return { type: "help", text: command.helpInformation() };
  const problems: string[] = [];
  let unknown: readonly string[] = [];
  try {
    const parsed = command.parseOptions([...args]);
    unknown = [...parsed.unknown, ...parsed.operands];
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    problems.push(error.message.replace(/^error: /, "Cannot start: "));
  }
  for (const word of unknown) {
    problems.push(`Cannot start: there is no ${word.startsWith("-") ? "flag" : "argument"} ${word}; see --help`);
  }

  const flags: Record<string, string | undefined> = command.opts();
  const origins = new Map<PropertyKey, string>();
  const raw: Record<string, string> = {};
  for (const name of NAMES) {
    const setting = SETTINGS[name];
    const flag = flags[name];
    origins.set(name, flag === undefined ? setting.variable : flagOf(setting));
    raw[name] = flag ?? (env[setting.variable] || setting.default);
  }

  const result = schema.safeParse(raw);
  for (const issue of result.error?.issues ?? []) {
    const name = issue.path[0] ?? "";
    problems.push(
      `Cannot start: ${origins.get(name)} is ${JSON.stringify(raw[String(name)])}, expected ${issue.message}`,
    );
  }
  if (!result.success || problems.length > 0) return { type: "wrong", problems: [...new Set(problems)] };
  return { type: "config", config: result.data, warnings: unknownVariables(env) };
}

function buildCommand(): Command {
  const command = new Command("hono-relay")
    .description(
      "A WebSocket relay: every client that connects gets an id, and id:message reaches the client with that id.",
    )
    .helpOption("-h, --help", "Show this help")
    .configureOutput({ writeErr: () => {} })
    .configureHelp({ helpWidth: 100 })
    .exitOverride();
  for (const name of NAMES) {
    const setting: Setting = SETTINGS[name];
    const option = new Option(
      `${flagOf(setting)} <${setting.placeholder}>`,
      `${setting.description} (${setting.variable}, default ${setting.default})`,
    );
    option.attributeName = () => name;
    command.addOption(option);
  }
  return command;
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set<string>(NAMES.map((name) => SETTINGS[name].variable));
  const unknown = Object.keys(env).filter((variable) => variable.startsWith("RELAY_") && !known.has(variable));
  if (unknown.length === 0) return [];
  return [`Not settings of the relay, and ignored: ${unknown.sort().join(", ")}`];
}
