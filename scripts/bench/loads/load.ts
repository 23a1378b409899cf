import type { Crowd } from "../generator/crowd.ts";
import type { DialectName } from "../generator/dialects.ts";
import type { Figures, RoundOptions } from "../round.ts";

/** Column of the report. */
export interface Column {
  readonly figure: string;
  readonly title: string;
  /** Digits after the point. Default: 0. */
  readonly digits?: number;
  /** Whether the report gives the ratio to the baseline, round by round, and the spread over the rounds. */
  readonly compared?: boolean;
}

/** Load whose connections are open. */
export interface PreparedLoad {
  /** Messages a second at saturation, where the load measures that. */
  readonly saturatingRate?: number;
  round(options: RoundOptions): Promise<Figures>;
}

/** Load on a server. The bench reads its description; the generator runs `prepare`. */
export interface Load {
  /** Name for `--only`. */
  readonly name: string;
  /** Description for the report, in one line. */
  readonly title: string;
  readonly columns: readonly Column[];
  /** Whether its figures have the points of a latency curve, for the picture. */
  readonly hasCurve?: boolean;
  /** Seconds of one round. Default: `--seconds`. */
  readonly seconds?: number;
  /** Most rounds, where one takes long. Default: `--rounds`. */
  readonly maxRounds?: number;
  /** Whether every round starts a new server. By default all rounds share one. */
  readonly freshServer?: boolean;
  /** Whether it opens 10,000 connections. It is left out where a process may not open that many files. */
  readonly needsFiles?: boolean;
  /**
   * Dialects to use, by the subject's own dialect. Subjects whose dialect is missing here are left out. Default: each
   * subject's own dialect; the JSON subjects take part only where `--subjects` names them.
   */
  readonly dialects?: Readonly<Partial<Record<DialectName, DialectName>>>;
  /** Settings of the relay, where its defaults would refuse the load. */
  readonly settings?: Readonly<Record<`RELAY_${string}`, string>>;
  /** Opens the connections and warms the server up. */
  prepare(crowd: Crowd): Promise<PreparedLoad>;
}

/** Columns of loads that send at a fixed rate. */
export const PACED_COLUMNS: readonly Column[] = [
  { figure: "messagesPerSecond", title: "messages/s" },
  { figure: "serverCpuUs", title: "CPU µs/message", digits: 2, compared: true },
  { figure: "serverBusy", title: "server busy %" },
  { figure: "generatorBusy", title: "generator busy %" },
  { figure: "othersBusy", title: "others %" },
  { figure: "rssMib", title: "RSS MiB" },
];

/** Columns of loads that send as fast as the server relays. */
export const MESSAGE_COLUMNS: readonly Column[] = PACED_COLUMNS.map((column) =>
  column.figure === "messagesPerSecond" ? { ...column, compared: true } : column,
);
