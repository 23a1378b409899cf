/** How one round goes. */
export interface RoundOptions {
  /** How long to measure, in seconds. */
  readonly seconds: number;
  /** Half of what the baseline saturates at, in messages a second; for a load that asks for `halfRate`. */
  readonly rate: number;
}

/** The numbers of one round, by name; the columns of its load say which there are. */
export type Figures = Readonly<Record<string, number>>;
