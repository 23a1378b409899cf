import type { Column, Load } from "./loads/load.ts";
import type { Figures } from "./round.ts";
import { median, spread } from "./statistics.ts";
import { ALTERNATIVES, type Subject } from "./subjects.ts";

/** Result of a subject under a load. */
export interface Outcome {
  readonly subject: Subject;
  /** Figures by round; `undefined` for a failed one, so that an index is the same round for every subject. */
  readonly rounds: readonly (Figures | undefined)[];
  /** Reason why rounds are missing. */
  readonly failure?: string;
}

export interface LoadReport {
  readonly load: Load;
  readonly outcomes: readonly Outcome[];
}

/**
 * Formats what differs between this checkout and the commit that it was compared with. A figure moved when it went the
 * same way in every round.
 */
export function toComparison(reports: readonly LoadReport[]): string {
  const header = ["load", "subject", "figure", "before", "now", "ratio", "lowest", "highest", "moved"];
  const rows = reports.flatMap(({ load, outcomes }) =>
    outcomes.flatMap((outcome) => {
      const before = outcomes.find(({ subject }) => subject.name === outcome.subject.counterpart);
      if (before === undefined) return [];
      return load.columns
        .filter(({ compared }) => compared === true)
        .map((column) => {
          const ratios = ratiosByRound(outcome, before, column.figure);
          const [lowest, highest] = [Math.min(...ratios), Math.max(...ratios)];
          return [
            load.name,
            outcome.subject.name,
            column.title,
            medianText(before, column),
            medianText(outcome, column),
            ...[median(ratios), lowest, highest].map((value) => value.toFixed(2)),
            lowest > 1 ? "up" : highest < 1 ? "down" : "",
          ];
        });
    }),
  );
  return `${layOut([header, ...rows])}\n`;
}

/** Formats the report as a table for a terminal, in Markdown. */
export function toTable({ load, outcomes }: LoadReport): string {
  const compared = load.columns.filter((column) => column.compared === true);
  const others = ALTERNATIVES.filter((name) => outcomes.some(({ subject }) => subject.name === name));
  const cost = compared.find(({ figure }) => figure === "serverCpuUs") ?? compared[0];
  const header = [
    "subject",
    ...load.columns.map(({ title }) => title),
    "baseline",
    ...compared.map(({ title }) => `${title}: ratio`),
    ...(cost === undefined ? [] : others.map((name) => `${cost.title}: to ${name}`)),
  ];
  const rows = outcomes.map((outcome) => {
    if (outcome.rounds.every((figures) => figures === undefined))
      return [outcome.subject.name, `failed: ${outcome.failure ?? "no round"}`];
    const baseline = outcomes.find(({ subject }) => subject.name === outcome.subject.baseline);
    return [
      outcome.subject.name,
      ...load.columns.map((column) => cell(outcome, column)),
      baseline === outcome ? "itself" : outcome.subject.baseline,
      ...compared.map(({ figure }) => ratioText(outcome, baseline, figure)),
      ...(cost === undefined
        ? []
        : others.map((name) => {
            return ratioText(
              outcome,
              outcomes.find(({ subject }) => subject.name === name),
              cost.figure,
            );
          })),
    ];
  });
  return `${load.name}) ${load.title}\n\n${layOut([header, ...rows])}\n`;
}

/** Formats the reports as JSON, with the figures of every round. */
export function toJson(machine: string, reports: readonly LoadReport[]): string {
  const loads = reports.map(({ load, outcomes }) => ({
    name: load.name,
    title: load.title,
    subjects: outcomes.map((outcome) => {
      const baseline = outcomes.find(({ subject }) => subject.name === outcome.subject.baseline);
      return {
        name: outcome.subject.name,
        baseline: outcome.subject.baseline,
        failure: outcome.failure,
        medians: byColumn(load, ({ figure }) => median(valuesOf(outcome, figure))),
        spreadPercent: byColumn(load, ({ figure }) => spread(valuesOf(outcome, figure))),
        ratioToBaseline: byColumn(load, ({ figure }) => ratio(outcome, baseline, figure)),
        rounds: outcome.rounds,
      };
    }),
  }));
  return `${JSON.stringify({ date: new Date().toISOString(), machine, loads }, null, 2)}\n`;
}

function byColumn(load: Load, value: (column: Column) => number): Record<string, number> {
  return Object.fromEntries(load.columns.map((column) => [column.figure, value(column)]));
}

/** Returns the figure of every round that has it. */
export function valuesOf(outcome: Outcome, figure: string): number[] {
  return outcome.rounds.flatMap((round) => round?.[figure] ?? []);
}

/** Returns the ratios by round. Drift of the machine cancels out: it affects both within seconds. */
function ratiosByRound(outcome: Outcome, other: Outcome | undefined, figure: string): number[] {
  return outcome.rounds.flatMap((round, i) => {
    const mine = round?.[figure];
    const theirs = other?.rounds[i]?.[figure];
    return mine === undefined || theirs === undefined ? [] : [mine / theirs];
  });
}

function ratio(outcome: Outcome, other: Outcome | undefined, figure: string): number {
  return median(ratiosByRound(outcome, other, figure));
}

function ratioText(outcome: Outcome, other: Outcome | undefined, figure: string): string {
  const value = ratio(outcome, other, figure);
  return Number.isFinite(value) ? value.toFixed(2) : "-";
}

function medianText(outcome: Outcome, { figure, digits = 0 }: Column): string {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const value = median(valuesOf(outcome, figure));
  return Number.isNaN(value) ? "-" : value.toLocaleString("en", options);
}

function cell(outcome: Outcome, column: Column): string {
  const { figure, compared = false } = column;
  const values = valuesOf(outcome, figure);
  const text = medianText(outcome, column);
  return compared && values.length > 1 && text !== "-" ? `${text} ±${spread(values).toFixed(0)}%` : text;
}

function layOut(rows: readonly (readonly string[])[]): string {
  const [header = []] = rows;
  const widths = header.map((_title, i) =>
    Math.max(3, ...rows.map((row) => (row.length > 2 ? (row[i] ?? "").length : 0))),
  );
  const line = (row: readonly string[]): string => {
    const cells = widths.map((width, i) => (i === 0 ? (row[i] ?? "").padEnd(width) : (row[i] ?? "").padStart(width)));
    return `| ${cells.join(" | ")} |`;
  };
  const rules = widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`));
  return [line(header), `|${rules.join("|")}|`, ...rows.slice(1).map(line)].join("\n");
}
