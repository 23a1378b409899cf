import { configureSync, getLogger } from "@logtape/logtape";
import { getPrettyFormatter } from "@logtape/pretty";
import { type Frame, frameText } from "../core/protocol/frame.ts";
import { escapeUnprintable } from "../core/protocol/printable.ts";
import type { RelayObserver } from "../core/session/observer.ts";
import type { Config } from "./config.ts";
import { JsonLog, type Log } from "./json-log.ts";
import { LineBudget } from "./line-budget.ts";

const CONTENT_CHARACTERS = 200;

/** Lines per second of a kind that a client can cause without an open connection. */
const LINES_PER_SECOND = 10;

const UNKNOWN_ADDRESS = "an unknown address";

/** Opens the log of this process: JSON lines, or lines for people. */
export function openLog(config: Config["log"], isTerminal: boolean, write: (line: string) => void): Log {
  const isPretty = config.format === "pretty" || (config.format === "auto" && isTerminal);
  return isPretty ? openPrettyLog(config.level, isTerminal, write) : new JsonLog(config.level, write);
}

function openPrettyLog(level: Config["log"]["level"], isTerminal: boolean, write: (line: string) => void): Log {
  const format = getPrettyFormatter({ timestamp: "time", colors: isTerminal, wordWrap: false, icons: false });
  const sink = (record: Parameters<typeof format>[0]): void => write(escapeUnprintable(format(record).trimEnd()));
  configureSync({
    sinks: { sink },
    loggers: [
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["sink"] },
      { category: ["relay"], lowestLevel: level === "off" ? null : level, sinks: ["sink"] },
    ],
    reset: true,
  });
  return getLogger(["relay"]);
}

/**
 * Makes an observer that writes to the log. It has no members for events below the log's level, so that those cost
 * nothing.
 */
export function observe(logger: Log): RelayObserver {
  const atDebug: RelayObserver = {
    received: (id, frame) => logger.debug("received {bytes} from {id}: {content}", { id, ...describe(frame) }),
    sent: (id, frame) => logger.debug("sent {bytes} to {id}: {content}", { id, ...describe(frame) }),
    beat: (id) => logger.debug("heartbeat ok {id}", { id }),
  };
  const refusals = new LineBudget(LINES_PER_SECOND, (count) =>
    logger.info("refused {count} more connections", { count }),
  );
  const failures = new LineBudget(LINES_PER_SECOND, (count) => logger.error("failed {count} times more", { count }));
  const atInfo: RelayObserver = {
    connected: (id, { address = UNKNOWN_ADDRESS, origin, protocol }) => {
      logger.info(`connected {id} from ${describeClient(origin)}, {protocol}`, {
        id,
        protocol,
        address,
        origin: cut(origin),
      });
    },
    refused: ({ address = UNKNOWN_ADDRESS, origin, path, status, code, message: reason }) => {
      if (!refusals.take()) return;
      const properties = { address, origin: cut(origin), path, status, code, reason };
      logger.info(`refused ${describeClient(origin)} at {path}, {status} {code}: {reason}`, properties);
    },
    missed: (id, misses) => logger.info("heartbeat missed {id}, {misses} in a row", { id, misses }),
    away: (id, { by, code, reason }) => logger.info("away {id}, ended by {by} with {code}", { id, by, code, reason }),
    resumed: (id) => logger.info("resumed {id}", { id }),
    left: (id, { by, code, reason }) => logger.info("left {id}, ended by {by} with {code}", { id, by, code, reason }),
  };
  return {
    failed: (id, error) => {
      if (failures.take()) logger.error("failed on {id}", { id, error });
    },
    ...(logger.isEnabledFor("info") ? atInfo : {}),
    ...(logger.isEnabledFor("debug") ? atDebug : {}),
  };
}

// With ignoreBOM the decoder keeps a byte order mark at the beginning of the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const encoder = new TextEncoder();

/** Returns the frame's size in bytes, and the first 200 characters of its content. */
function describe(frame: Frame): { bytes: number; binary: boolean; content: string } {
  const { payload, binary } = frame;
  const text =
    typeof payload === "string" ? frameText(frame) : decoder.decode(payload.subarray(0, CONTENT_CHARACTERS * 4));
  const bytes = typeof payload === "string" ? encoder.encode(text).length : payload.length;
  return { bytes, binary, content: cut(text) };
}

function cut<Text extends string | undefined>(text: Text): Text | string {
  return text !== undefined && text.length > CONTENT_CHARACTERS ? `${text.slice(0, CONTENT_CHARACTERS)}…` : text;
}

/** Returns the client's part of a log line: its address and, for a page in a browser, the page's origin. */
function describeClient(origin: string | undefined): string {
  return origin === undefined ? "{address}" : "{address}, page of {origin}";
}
