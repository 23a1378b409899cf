import { configureSync, getJsonLinesFormatter, getLogger } from "@logtape/logtape";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Envelope } from "../../../src/core/protocol/envelope.ts";
import { Frame } from "../../../src/core/protocol/frame.ts";
import type { Config } from "../../../src/server/config.ts";
import { observe, openLog } from "../../../src/server/log.ts";

const DETAILS = { address: "192.0.2.1", origin: undefined, protocol: "plain" };
const REFUSED = {
  address: "192.0.2.1",
  origin: "https://example.org",
  path: "/ws",
  status: 503,
  handshakeMs: 1,
  code: "full",
  message: "Cannot: no place",
};

/** Opens a log that keeps its lines, and makes the observer that writes to it. */
function startLog(log: Partial<Config["log"]> = {}, isTerminal = false) {
  const lines: string[] = [];
  const logger = openLog({ level: "debug", format: "json", ...log }, isTerminal, (line) => lines.push(line));
  return { lines, logger, observer: observe(logger), entries: () => lines.map((line) => JSON.parse(line)) };
}

describe("as JSON lines", () => {
  test("each event is one line with its values", () => {
    const { observer, entries } = startLog();
    observer.connected?.("7", DETAILS);
    observer.refused?.(REFUSED);
    observer.received?.("7", new Frame("8:hi", false));
    observer.sent?.("8", new Frame(new Uint8Array([0x68, 0x69]), true));
    observer.beat?.("7");
    observer.missed?.("7", 2);
    observer.away?.("7", { by: "client", code: 1006, reason: "", mayReturn: true });
    observer.resumed?.("7", true);
    observer.left?.("7", { by: "heartbeat", code: 1006, reason: "3 beats missed", mayReturn: true });
    observer.failed?.("7", new Error("a defect"));
    expect(entries()).toMatchObject([
      {
        level: "INFO",
        id: "7",
        address: "192.0.2.1",
        protocol: "plain",
        message: expect.stringContaining("connected"),
      },
      {
        level: "INFO",
        address: "192.0.2.1",
        status: 503,
        code: "full",
        reason: "Cannot: no place",
        path: "/ws",
      },
      { level: "DEBUG", id: "7", bytes: 4, binary: false, content: "8:hi" },
      { level: "DEBUG", id: "8", bytes: 2, binary: true, content: "hi" },
      { level: "DEBUG", id: "7", message: expect.stringContaining("heartbeat ok") },
      { level: "INFO", id: "7", misses: 2 },
      { level: "INFO", id: "7", by: "client", code: 1006, message: expect.stringContaining("away") },
      { level: "INFO", id: "7", message: expect.stringContaining("resumed") },
      { level: "INFO", id: "7", by: "heartbeat", code: 1006, reason: "3 beats missed" },
      { level: "ERROR", id: "7", error: { message: "a defect" } },
    ]);
  });

  test("the size of a frame is in bytes, not in characters", () => {
    const { observer, entries } = startLog();
    observer.received?.("1", new Frame("您好", false));
    expect(entries()).toMatchObject([{ bytes: 6 }]);
  });

  test("a frame in an envelope is shown whole", () => {
    const { observer, entries } = startLog();
    observer.sent?.("1", new Frame("您好", false, new Envelope("<", "|", "#", ">"), "7", 42));
    expect(entries()).toMatchObject([{ bytes: 13, content: "<7|您好#42>" }]);
  });

  test.each([
    ["text", (text: string) => new Frame(text, false)],
    ["bytes", (text: string) => new Frame(new TextEncoder().encode(text), true)],
  ])("%s is cut at 200 characters, and ends in …", (_name, frameOf) => {
    const { observer, entries } = startLog();
    for (const character of ["x", "好"]) {
      observer.received?.("1", frameOf(character.repeat(200)));
      observer.received?.("1", frameOf(character.repeat(100_000)));
    }
    expect(entries().map(({ content }) => content)).toEqual([
      "x".repeat(200),
      `${"x".repeat(200)}…`,
      "好".repeat(200),
      `${"好".repeat(200)}…`,
    ]);
  });
});

describe("lines that a client can cause without a connection", () => {
  test("have the origin of its page", () => {
    const { lines, observer } = startLog({ format: "pretty" });
    observer.connected?.("7", { address: "192.0.2.1", origin: "https://example.org", protocol: "relay.v1.json" });
    observer.connected?.("8", { address: undefined, origin: undefined, protocol: "plain" });
    observer.refused?.(REFUSED);
    expect(lines[0]).toMatch(
      /connected .*7.* from .*192\.0\.2\.1.*, page of .*https:\/\/example\.org.*, .*relay\.v1\.json/,
    );
    expect(lines[1]).toMatch(/connected .*8.* from .*an unknown address.*, .*plain/);
    expect(lines[2]).toMatch(/refused .*192\.0\.2\.1.*https:\/\/example\.org.* at .*\/ws.*, 503 .*full.*: .*no place/);
  });

  test("are at most ten per second, and then one with the number of the omitted ones", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { entries, observer } = startLog();
    for (let count = 0; count < 1000; count++) observer.refused?.(REFUSED);
    for (let count = 0; count < 12; count++) observer.failed?.("authorize", new Error("a defect"));
    expect(entries().length).toBe(20);
    vi.advanceTimersByTime(1000);
    expect(entries().slice(20)).toMatchObject([
      { level: "INFO", count: 990, message: expect.stringContaining("refused") },
      { level: "ERROR", count: 2, message: expect.stringContaining("failed") },
    ]);
    observer.refused?.(REFUSED);
    vi.advanceTimersByTime(1000);
    expect(entries().slice(22)).toMatchObject([{ code: "full" }]);
  });

  test("have at most 200 characters of an origin", () => {
    const { entries, observer } = startLog();
    observer.connected?.("7", { ...DETAILS, origin: "x".repeat(10_000) });
    expect(entries()).toMatchObject([{ origin: `${"x".repeat(200)}…` }]);
  });
});

describe.each([
  ["json", false],
  ["pretty", false],
  ["pretty", true],
] as const)("as %s, on a terminal: %s", (format, isTerminal) => {
  test("no client can begin a line or send control characters to the terminal", () => {
    const { lines, observer } = startLog({ format }, isTerminal);
    const words = "\n00:00:00 error forged\r\u001b[2J\u0007\u009b2J\u0085\u007f\u2028x\u2029\u0000";
    observer.received?.("1", new Frame(words, false));
    observer.sent?.("1", new Frame(new TextEncoder().encode(words), true));
    observer.left?.("1", { by: "client", code: 1000, reason: words, mayReturn: false });
    observer.refused?.({ ...REFUSED, path: words, message: words, origin: words });
    expect(lines.length).toBe(4);
    for (const line of lines) {
      expect(line).not.toMatch(/[\r\n]/);
      expect(line).not.toContain("\u001b[2J");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: only those that begin a colour may be left.
      expect(line).not.toMatch(/[\u0000-\u001a\u001c-\u001f\u007f-\u009f\u2028\u2029]|\u001b(?!\[[\d;]*m)/);
    }
  });
});

describe("the format auto", () => {
  test("is JSON without a terminal, and pretty on one", () => {
    const [piped, terminal] = [false, true].map((isTerminal) => {
      const { lines, observer } = startLog({ format: "auto" }, isTerminal);
      observer.connected?.("7", DETAILS);
      return lines[0] ?? "";
    });
    expect(JSON.parse(piped ?? "")).toMatchObject({ id: "7" });
    expect(terminal).toContain("connected");
    expect(() => JSON.parse(terminal ?? "")).toThrow();
  });

  test("has colours on a terminal only", () => {
    for (const isTerminal of [false, true]) {
      const { lines, observer } = startLog({ format: "pretty" }, isTerminal);
      observer.connected?.("7", DETAILS);
      expect(lines[0]?.includes("\u001b[")).toBe(isTerminal);
    }
  });
});

describe("the level", () => {
  /** Reports an event of each kind, and returns the levels that were written. */
  function levelsAt(level: Config["log"]["level"]): string[] {
    const { logger, observer, entries } = startLog({ level });
    observer.received?.("7", new Frame("8:hi", false));
    observer.connected?.("7", DETAILS);
    logger.warning("a warning");
    observer.failed?.("7", new Error("a defect"));
    return entries().map((entry) => entry.level);
  }

  test.each([
    ["debug", ["DEBUG", "INFO", "WARN", "ERROR"]],
    ["info", ["INFO", "WARN", "ERROR"]],
    ["warning", ["WARN", "ERROR"]],
    ["error", ["ERROR"]],
    ["off", []],
  ] as const)("%s writes %j", (level, written) => {
    expect(levelsAt(level)).toEqual(written);
  });

  test("has no observer members for events that it does not write, so that those cost nothing", () => {
    const { observer } = startLog({ level: "info" });
    expect([observer.received, observer.sent, observer.beat]).toEqual([undefined, undefined, undefined]);
    expect(observer.connected).toBeDefined();
    expect(startLog({ level: "warning" }).observer.connected).toBeUndefined();
  });
});

describe("a JSON line", () => {
  /** Returns the line that LogTape's formatter writes. */
  function lineOfLogTape(message: string, properties: Record<string, unknown>): unknown {
    let line = "";
    configureSync({
      sinks: {
        sink: (record) => {
          line = format(record);
        },
      },
      loggers: [
        { category: ["logtape", "meta"], lowestLevel: "warning", sinks: [] },
        { category: ["relay"], lowestLevel: "debug", sinks: ["sink"] },
      ],
      reset: true,
    });
    const format = getJsonLinesFormatter({ properties: "flatten", categorySeparator: "." });
    getLogger(["relay"]).info(message, properties);
    return line;
  }

  const withoutTime = (line: unknown): string =>
    String(line)
      .trimEnd()
      .replace(/"@timestamp":"[^"]+"/, "");

  test.each([
    [
      "connected {id} from {address}, page of {origin}, {protocol}",
      { id: "7", address: "::1", origin: 'https://x"\\' },
    ],
    ["shutting down with {connections} connections", { connections: 3, sessions: 0 }],
    ["x {a} {b} {c}", { a: null, b: undefined, c: true, d: { e: [1, "2"] }, f: 12n }],
    ["no placeholder", {}],
    ["failed on {id}", { id: "7", error: new TypeError("a defect", { cause: new Error("another") }) }],
    ["failed on {id}", { id: "7", error: Object.assign(new Error("a defect"), { code: "ENOENT" }) }],
    ["failed on {id}", { id: "7", error: "a string" }],
    ["failed on {id}", { id: "7", error: undefined }],
    ["received {content}", { content: "\u0000\u001b[2J\u007f\u0085您好\ud800" }],
  ])("of %j is what LogTape writes", (message, properties) => {
    const { logger, lines } = startLog();
    logger.info(message, properties);
    expect(withoutTime(lines[0])).toBe(withoutTime(lineOfLogTape(message, properties)));
  });

  test("of a value that JSON cannot write has the value as text", () => {
    const { logger, entries } = startLog();
    const circular: Record<string, unknown> = { toString: () => "a circle" };
    circular.self = circular;
    logger.error("failed on {id}", { id: "7", error: circular });
    expect(entries()).toMatchObject([{ id: "7", error: "a circle" }]);
  });
});
