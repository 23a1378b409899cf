import { escapeUnprintable } from "../core/protocol/printable.ts";
import type { Config } from "./config.ts";

export type Level = Exclude<Config["log"]["level"], "off">;

/** Values of one line, by name. */
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

/** Levels as they stand in a line, from the lowest to the highest. */
const LEVEL_NAMES = { debug: "DEBUG", info: "INFO", warning: "WARN", error: "ERROR" } as const;
const ORDER = Object.keys(LEVEL_NAMES);

/**
 * A log of JSON lines: one object a line, with `@timestamp`, `level`, `message`, `logger` and the properties. The shape
 * and every byte are those of LogTape's `getJsonLinesFormatter({ properties: "flatten" })`, which takes five times as
 * long: each connection writes two lines.
 */
export class JsonLog implements Log {
  readonly #lowest: number;
  readonly #write: (line: string) => void;
  /** Messages split at their placeholders: text, name, text, name, …, text. There are as many as calls in the code. */
  readonly #templates = new Map<string, readonly string[]>();

  /** @param lowest Lowest level that is written; `off` for none. */
  constructor(lowest: Level | "off", write: (line: string) => void) {
    this.#lowest = lowest === "off" ? ORDER.length : ORDER.indexOf(lowest);
    this.#write = write;
  }

  isEnabledFor(level: Level): boolean {
    return ORDER.indexOf(level) >= this.#lowest;
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
    const message = quote(this.#fill(template, properties));
    let line = `{"@timestamp":"${new Date().toISOString()}","level":"${LEVEL_NAMES[level]}","message":${message}`;
    line += ',"logger":"relay"';
    for (const name in properties) {
      const json = toJson(properties[name]);
      if (json !== undefined) line += `,${quote(name)}:${json}`;
    }
    this.#write(escapeUnprintable(`${line}}`));
  }

  /** Replaces each `{name}` in the template by the property's value. */
  #fill(template: string, properties: Properties): string {
    let parts = this.#templates.get(template);
    if (parts === undefined) {
      parts = template.split(/\{(\w+)\}/);
      // A text without placeholders may be made of settings, and comes once.
      if (parts.length > 1) this.#templates.set(template, parts);
    }
    let filled = parts[0] ?? "";
    for (let i = 1; i < parts.length; i += 2) filled += `${toJson(properties[parts[i] ?? ""])}${parts[i + 1]}`;
    return filled;
  }
}

/** Writes a text as JSON. */
function quote(text: string): string {
  return JSON.stringify(text);
}

/** Writes a value as JSON; `undefined` where JSON has nothing for it. What JSON cannot write becomes a text. */
function toJson(value: unknown): string | undefined {
  if (typeof value !== "object" && typeof value !== "bigint") return JSON.stringify(value);
  try {
    return JSON.stringify(value, replaceUnknown);
  } catch {
    return quote(String(value));
  }
}

/** Replaces an Error, of which JSON writes nothing, and a bigint, which JSON refuses. */
function replaceUnknown(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return Object.assign({ name, message, stack, cause }, value);
}
