import { Pacer } from "../generator/pace.ts";
import { CURVE, curveFigure } from "../picture.ts";
import type { Figures } from "../round.ts";
import { percentile, percentileOfSorted } from "../statistics.ts";
import { type Load, PACED_COLUMNS } from "./load.ts";
import { PingPong } from "./ping-pong.ts";

const CLIENTS = 100;
const MESSAGE_BYTES = 64;
const WARM_UP_SECONDS = 2;

/** Measures the latency of messages at half of the rate that saturates the baseline. */
function latency(name: string, idleConnections: number): Load {
  const beside = idleConnections > 0 ? `, ${idleConnections.toLocaleString("en")} idle connections beside` : "";
  return {
    name,
    title: `Latency of 100 clients in pairs at half of the baseline's saturating rate, 64 B${beside}`,
    columns: [
      { figure: "p50", title: "p50 ms", digits: 3, compared: true },
      { figure: "p99", title: "p99 ms", digits: 3, compared: true },
      { figure: "p999", title: "p99.9 ms", digits: 3, compared: true },
      { figure: "delay99", title: "generator's own p99 ms", digits: 3 },
      ...PACED_COLUMNS,
    ],
    hasCurve: true,
    // Other servers on the same core would ping their own 10,000 connections during the measurement.
    freshServer: idleConnections > 0,
    needsFiles: idleConnections > 0,
    async prepare(crowd) {
      const clients = await crowd.open(CLIENTS);
      const pingPong = new PingPong(crowd, clients, { inFlight: 1, messageBytes: MESSAGE_BYTES });
      await pingPong.run(WARM_UP_SECONDS);
      const { messagesPerSecond = 0 } = await pingPong.run(1);
      if (idleConnections > 0) await crowd.openIdleBeside(idleConnections);
      const pacer = new Pacer(clients, MESSAGE_BYTES, crowd.activity);
      // Paced messages cost more than ping-pong. Measure how busy the server is at half of the ping-pong rate.
      let saturatingRate = messagesPerSecond / 2;
      await pacer.run({ rate: saturatingRate, seconds: 1 });
      const stop = crowd.measure();
      const { latencies } = await pacer.run({ rate: saturatingRate, seconds: 2 });
      saturatingRate /= (stop(latencies.length).serverBusy ?? 100) / 100;
      await pacer.settle();
      return {
        saturatingRate,
        async round({ seconds, rate }) {
          await pacer.run({ rate, seconds: 0.5 });
          const stop = crowd.measure();
          const { latencies, delays } = await pacer.run({ rate, seconds });
          const figures = stop(latencies.length);
          await pacer.settle();
          return { ...figures, ...percentiles(latencies), delay99: percentile(delays, 99) };
        },
      };
    },
  };
}

function percentiles(latencies: Float64Array): Figures {
  const sorted = latencies.sort();
  const curve = CURVE.map((nines) => [curveFigure(nines), percentileOfSorted(sorted, 100 - 100 / 10 ** nines)]);
  return {
    p50: percentileOfSorted(sorted, 50),
    p99: percentileOfSorted(sorted, 99),
    p999: percentileOfSorted(sorted, 99.9),
    ...Object.fromEntries(curve),
  };
}

export const latencyAlone = latency("f", 0);
export const latencyBesideIdle = latency("f-idle", 10_000);
