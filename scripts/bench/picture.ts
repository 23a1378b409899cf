import { type LoadReport, valuesOf } from "./report.ts";
import { median } from "./statistics.ts";

/**
 * Points of a latency curve, as numbers of nines: 0 is the shortest latency, 1 the 90th percentile, 2 the 99th, 3 that
 * of 99.9 %, 4 that of 99.99 %.
 */
export const CURVE: readonly number[] = Array.from({ length: 41 }, (_, i) => i / 10);

/** Returns the name of the figure that has the latency at this number of nines, in milliseconds. */
export function curveFigure(nines: number): string {
  return `latency at ${nines} nines`;
}

const PERCENTS: readonly string[] = ["0", "90", "99", "99.9", "99.99"];
const COLORS: readonly string[] = ["#0b7285", "#e8590c", "#862e9c", "#2b8a3e", "#c92a2a", "#5f3dc4", "#868e96"];
const WIDTH = 760;
const HEIGHT = 400;
const LEFT = 64;
const RIGHT = 150;
const TOP = 40;
const BOTTOM = 48;

/**
 * Draws the latencies of a load as an SVG picture: one curve for each subject, the median over its rounds. Both axes
 * are logarithmic. The colours of text and lines follow the reader's light or dark scheme.
 */
export function toPicture({ load, outcomes }: LoadReport): string {
  const curves = outcomes.flatMap((outcome) => {
    const points = CURVE.map((nines) => median(valuesOf(outcome, curveFigure(nines))));
    return points.some(Number.isNaN) ? [] : [{ name: outcome.subject.name, points }];
  });
  const all = curves.flatMap(({ points }) => points).filter((ms) => ms > 0);
  const low = Math.floor(Math.log10(Math.min(...all)));
  const high = Math.ceil(Math.log10(Math.max(...all)));
  const x = (nines: number): number => LEFT + (nines / 4) * (WIDTH - LEFT - RIGHT);
  const y = (ms: number): number => {
    const part = (Math.log10(Math.max(ms, 10 ** low)) - low) / (high - low);
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM);
  };
  const rows = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${load.title}">`,
    "<style>text{font:12px sans-serif;fill:#343a40}.grid{stroke:#ced4da}.curve{fill:none;stroke-width:2}",
    "@media(prefers-color-scheme:dark){text{fill:#dee2e6}.grid{stroke:#495057}}</style>",
    `<text x="${LEFT}" y="20">${load.title}</text>`,
    ...rows.flatMap((ms) => [
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(ms))}" y2="${round(y(ms))}"/>`,
      `<text x="${LEFT - 8}" y="${round(y(ms) + 4)}" text-anchor="end">${ms.toLocaleString("en")} ms</text>`,
    ]),
    ...PERCENTS.flatMap((percent, nines) => [
      `<line class="grid" x1="${round(x(nines))}" x2="${round(x(nines))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`,
      `<text x="${round(x(nines))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${percent} %</text>`,
    ]),
    `<text x="${LEFT}" y="${HEIGHT - 10}">part of the messages that took at most so long</text>`,
    ...curves.flatMap(({ name, points }, i) => {
      const color = COLORS[i % COLORS.length];
      const line = points.map((ms, point) => `${round(x(CURVE[point] ?? 0))},${round(y(ms))}`).join(" ");
      const legend = TOP + 16 * i + 4;
      return [
        `<polyline class="curve" stroke="${color}" points="${line}"/>`,
        `<rect x="${WIDTH - RIGHT + 16}" y="${legend - 8}" width="10" height="10" fill="${color}"/>`,
        `<text x="${WIDTH - RIGHT + 32}" y="${legend + 1}">${name}</text>`,
      ];
    }),
    "</svg>",
    "",
  ].join("\n");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
