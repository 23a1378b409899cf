import { escapeUnprintable } from "../core/protocol/printable.ts";
import type { Config } from "./config.ts";

export type Level = Exclude<Config["log"]["level"], "off">;

/** Values of one line, by name. A name is letters, digits and underscores. */
export type Properties = Readonly<Record<string, unknown>>;

/** The log of this process. A message may have the values of properties, as `{name}`. */
export interface Log {
  /** Whether lines of the level are written. */
  isEnabledFor(level: Level): boolean;
  debug(message: string, properties?: Properties): void;
  info(message: string, properties?: Properties): void;
  warning(message: string, properties?: Properties): void;
  error(message: string, properties?: Properties): void;
}

/** Levels as they stand in a line. */
const LEVEL_NAMES = { debug: "DEBUG", info: "INFO", warning: "WARN", error: "ERROR" } as const;
/** Levels by rank. A log with the level `off` writes no line. */
const RANKS = { debug: 0, info: 1, warning: 2, error: 3, off: 4 } as const;

/** Printable ASCII that stands in JSON as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * A log of JSON lines: one object a line, with `@timestamp`, `level`, `message`, `logger` and the properties. The shape
 * and every byte are those of LogTape's `getJsonLinesFormatter({ properties: "flatten" })`, which takes five times as
 * long: each connection writes two lines.
 */
export class JsonLog implements Log {
  readonly #lowest: number;
  readonly #write: (line: string) => void;
  /**
   * Messages split at their placeholders: text, name, text, name, …, text, each text as it stands in JSON. There are as
   * many as calls in the code.
   */
  readonly #templates = new Map<string, readonly string[]>();

  /** @param lowest Lowest level that is written; `off` for none. */
  constructor(lowest: Level | "off", write: (line: string) => void) {
    this.#lowest = RANKS[lowest];
    this.#write = write;
  }

  isEnabledFor(level: Level): boolean {
    return RANKS[level] >= this.#lowest;
  }

  debug(message: string, properties?: Properties): void {
    this.#log("debug", message, properties);
  }

  info(message: string, properties?: Properties): void {
    this.#log("info", message, properties);
  }

  warning(message: string, properties?: Properties): void {
    this.#log("warning", message, properties);
  }

  error(message: string, properties?: Properties): void {
    this.#log("error", message, properties);
  }

  #log(level: Level, template: string, properties: Properties = {}): void {
    if (!this.isEnabledFor(level)) return;
    let line = `{"@timestamp":"${timestamp()}","level":"${LEVEL_NAMES[level]}","message":"`;
    const parts = this.#split(template);
    line += parts[0];
    for (let i = 1; i < parts.length; i += 2) line += inMessage(properties[parts[i] ?? ""]) + parts[i + 1];
    line += '","logger":"relay"';
    for (const name in properties) {
      const json = inField(properties[name]);
      if (json !== undefined) line += `,"${name}":${json}`;
    }
    this.#write(`${line}}`);
  }

  #split(template: string): readonly string[] {
    let parts = this.#templates.get(template);
    if (parts === undefined) {
      parts = template.split(/\{(\w+)\}/).map(withinText);
      // A text without placeholders may be made of settings, and comes once.
      if (parts.length > 1) this.#templates.set(template, parts);
    }
    return parts;
  }
}

let latestMs = Number.NaN;
let latestTimestamp = "";

/** Returns the time as it stands in a line. Several lines of a millisecond have the same text. */
function timestamp(): string {
  const now = Date.now();
  if (now !== latestMs) {
    latestMs = now;
    latestTimestamp = new Date(now).toISOString();
  }
  return latestTimestamp;
}

/** Writes a value as a field has it: JSON on one line of a terminal; `undefined` where JSON has nothing for it. */
function inField(value: unknown): string | undefined {
  if (typeof value === "string" && PLAIN.test(value)) return `"${value}"`;
  const json = toJson(value);
  return json && escapeUnprintable(json);
}

/** Writes a value as a message has it: its JSON, within the text of the message. */
function inMessage(value: unknown): string {
  if (typeof value === "string" && PLAIN.test(value)) return `\\"${value}\\"`;
  return withinText(`${toJson(value)}`);
}

/** Writes a text as it stands within a text in JSON, on one line of a terminal. */
function withinText(text: string): string {
  return PLAIN.test(text) ? text : escapeUnprintable(JSON.stringify(text).slice(1, -1));
}

/** Writes a value as JSON; `undefined` where JSON has nothing for it. What JSON cannot write becomes a text. */
function toJson(value: unknown): string | undefined {
  if (typeof value !== "object" && typeof value !== "bigint") return JSON.stringify(value);
  try {
    return JSON.stringify(value, replaceUnknown);
  } catch {
    return JSON.stringify(String(value));
  }
}

/** Replaces an Error, of which JSON writes nothing, and a bigint, which JSON refuses. */
function replaceUnknown(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return Object.assign({ name, message, stack, cause }, value);
}
