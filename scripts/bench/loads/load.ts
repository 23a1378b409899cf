import type { Crowd } from "../generator/crowd.ts";
import type { DialectName } from "../generator/dialects.ts";
import type { Figures, RoundOptions } from "../round.ts";

/** How a figure is shown. */
export interface Column {
  readonly figure: string;
  readonly title: string;
  /** Digits after the point. Default: 0. */
  readonly digits?: number;
  /** Whether the report gives the ratio to the baseline, round by round, and the spread over the rounds. */
  readonly compared?: boolean;
}

/** One load, with its connections open. */
export interface Prepared {
  /** Messages a second at saturation, where the load looked for it. */
  readonly saturatingRate?: number;
  round(options: RoundOptions): Promise<Figures>;
}

/**
 * One load. The same file is read twice: the bench reads its words, the generator runs its `prepare`.
 */
export interface Load {
  /** What `--only` calls it. */
  readonly name: string;
  /** One line for the report: who sends what to whom. */
  readonly title: string;
  readonly columns: readonly Column[];
  /** Seconds of one round. Default: what `--seconds` says. */
  readonly seconds?: number;
  /** Rounds at most, where one takes long. Default: what `--rounds` says. */
  readonly maxRounds?: number;
  /** Whether every round has a server of its own, not yet used; the others share one over all rounds. */
  readonly freshServer?: boolean;
  /** Whether it opens 10,000 connections, and is left out where a process may not have as many files open. */
  readonly needsFiles?: boolean;
  /**
   * What is spoken to a subject, by its own dialect; subjects whose dialect is not here are left out. Default: each its own, and
   * the JSON subjects only where `--subjects` names them.
   */
  readonly dialects?: Readonly<Partial<Record<DialectName, DialectName>>>;
  /** Opens the connections and warms the server up. */
  prepare(crowd: Crowd): Promise<Prepared>;
}

/** What every load with a pace of its own reports. */
export const PACED_COLUMNS: readonly Column[] = [
  { figure: "messagesPerSecond", title: "messages/s" },
  { figure: "serverCpuUs", title: "CPU µs/message", digits: 2, compared: true },
  { figure: "serverBusy", title: "server busy %" },
  { figure: "generatorBusy", title: "generator busy %" },
  { figure: "othersBusy", title: "others %" },
  { figure: "rssMib", title: "RSS MiB" },
];

/** What a load that goes as fast as it can reports. */
export const MESSAGE_COLUMNS: readonly Column[] = PACED_COLUMNS.map((column) =>
  column.figure === "messagesPerSecond" ? { ...column, compared: true } : column,
);
