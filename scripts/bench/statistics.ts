/** Returns the median; NaN without values. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Returns the percentile, interpolated between the two nearest values; NaN without values. */
export function percentile(values: ArrayLike<number>, percent: number): number {
  return percentileOfSorted(Float64Array.from(values).sort(), percent);
}

/** Returns the percentile of values in ascending order, as `percentile` does. */
export function percentileOfSorted(sorted: ArrayLike<number>, percent: number): number {
  const at = ((sorted.length - 1) * percent) / 100;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** Returns half of the range, in percent of the median. */
export function spread(values: readonly number[]): number {
  return ((Math.max(...values) - Math.min(...values)) / 2 / median(values)) * 100;
}
