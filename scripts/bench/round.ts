/** Options of one round. */
export interface RoundOptions {
  /** Duration of the measurement in seconds. */
  readonly seconds: number;
  /** Half of the baseline's saturating rate, in messages a second; 0 where the load measures none. */
  readonly rate: number;
}

/** Figures of one round, by the names in the columns of its load. */
export type Figures = Readonly<Record<string, number>>;
