/**
 * Metrics of a relay in the formats of Prometheus.
 *
 * @module hono-relay/metrics
 */
import { Hono } from "hono";
import * as prometheus from "prom-client";
import type { Counts, ServerApi } from "../../core/server-api.ts";
import type { RelayObserver } from "../../core/session/observer.ts";
import { requireKey } from "../admin/keys.ts";
import { failed } from "../admin/problem.ts";

/** Options of the metrics. */
export interface MetricsOptions {
  /** Version of the program, for `hono_relay_build_info`. Default: empty. */
  readonly version?: string;
}

/** Options of the route to the metrics: its readers. */
export interface MetricsRouteOptions {
  /** Keys as those of the admin API; `open` lets anybody read. */
  readonly keys: readonly string[] | "open";
}

/** Upper bounds of the buckets of `hono_relay_handle_seconds`. */
const HANDLE_BUCKETS = [0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1];

/** Upper bounds of the buckets of `hono_relay_handshake_seconds`. */
const HANDSHAKE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Metrics of one relay. Pass `observer` to the relay, and mount the `routes`. The relay counts messages for its `stats`
 * in any case; `observer` adds the time of one frame in 256.
 *
 * @example
 * ```ts
 * import { serve } from "@hono/node-server";
 * import { Hono } from "hono";
 * import { Metrics } from "hono-relay/metrics";
 * import { createNodeRelay } from "hono-relay/node";
 *
 * const app = new Hono();
 * const metrics = new Metrics();
 * const { relay, routes, attach } = createNodeRelay({ observer: metrics.observer });
 * app.route("/relay", routes);
 * app.route("/relay", metrics.routes(relay, { keys: "open" }));
 * attach(serve({ fetch: app.fetch, port: 3000 }), app);
 * ```
 */
export class Metrics {
  readonly #registry = new prometheus.Registry();
  /** The same metrics, written as OpenMetrics. */
  readonly #openMetrics = new prometheus.Registry<prometheus.OpenMetricsContentType>();
  /** Receives the relay's events. `combineObservers` joins it with another. */
  readonly observer: RelayObserver;

  constructor({ version = "" }: MetricsOptions = {}) {
    this.#openMetrics.setContentType(prometheus.openMetricsContentType);
    prometheus.collectDefaultMetrics({ register: this.#registry });
    const help = "Always 1; the labels say what runs";
    const labelNames = ["version", "runtime"];
    new prometheus.Gauge({ name: "hono_relay_build_info", help, labelNames, registers: [this.#registry] }).set(
      { version, runtime: runtimeName() },
      1,
    );
    this.observer = makeObserver(this.#registry);
  }

  /**
   * Makes a Hono app that serves the metrics at `/metrics`. Call it once.
   *
   * @throws {RangeError} When there is no key, or one is not a key of the admin API.
   */
  routes(relay: ServerApi, { keys }: MetricsRouteOptions): Hono {
    const update = addStats(this.#registry, relay);
    // The declared type is that of a description; these are the metrics themselves.
    for (const metric of this.#registry.getMetricsAsArray() as unknown as prometheus.Metric[]) {
      this.#openMetrics.registerMetric(asOpenMetric(metric) as prometheus.Metric);
    }
    const app = new Hono();
    app.onError((error, c) => failed(c, error));
    if (keys !== "open") app.use("/metrics", requireKey("Cannot serve metrics", keys));
    app.get("/metrics", async (c) => {
      const isOpenMetrics = c.req.header("accept")?.includes("application/openmetrics-text") === true;
      const registry = isOpenMetrics ? this.#openMetrics : this.#registry;
      await update();
      return c.body(await registry.metrics(), 200, { "Content-Type": registry.contentType });
    });
    return app;
  }
}

/**
 * Returns a view of the metric for a registry of OpenMetrics. Such a registry of prom-client 15.1 cuts `_total` off the
 * names of its counters for good, and would take it from the other format too.
 */
function asOpenMetric(metric: prometheus.Metric): object {
  const { name, type } = metric as unknown as { readonly name: string; readonly type: string };
  if (type !== "counter") return metric;
  const get = async (): Promise<object> => ({ ...(await metric.get()), name: name.replace(/_total$/, "") });
  return { name, type, get };
}

function runtimeName(): string {
  // As `navigator.userAgent` begins on each runtime: Node.js/20, Bun/1.4, Deno/2.9. Node 20 has no navigator.
  return globalThis.navigator?.userAgent ?? `Node.js/${process.versions.node.split(".")[0]}`;
}

/** Makes the metrics that the relay's events count. */
function makeObserver(registry: prometheus.Registry): RelayObserver {
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new prometheus.Counter({ name: `hono_relay_${name}_total`, help, labelNames, registers: [registry] });
  const histogram = (name: string, help: string, buckets: number[], labelNames: string[] = []) =>
    new prometheus.Histogram({ name: `hono_relay_${name}_seconds`, help, buckets, labelNames, registers: [registry] });
  const opened = counter("sessions_opened", "Sessions that began, and connections of the echo", ["protocol"]);
  const lost = counter("sessions_lost", "Sessions that lost their connection, and may be resumed", ["by"]);
  const resumed = counter("sessions_resumed", "Sessions that were resumed");
  const ended = counter("sessions_ended", "Sessions that ended, and connections of the echo", ["by"]);
  const failures = counter("failures", "Errors that the relay, a hook, authorize or an observer threw");
  const handled = histogram("handle", "Time to handle a frame, without writing; one frame in 256", HANDLE_BUCKETS);
  const handshake = histogram(
    "handshake",
    "Time from the request to the open socket, or to the refusal",
    HANDSHAKE_BUCKETS,
    ["result"],
  );
  return {
    connected: (_id, { protocol, handshakeMs }) => {
      opened.inc({ protocol });
      if (handshakeMs !== undefined) handshake.observe({ result: "accepted" }, handshakeMs / 1000);
    },
    refused: ({ handshakeMs }) => handshake.observe({ result: "refused" }, handshakeMs / 1000),
    handled: (durationMs) => handled.observe(durationMs / 1000),
    away: (_id, { by }) => lost.inc({ by }),
    resumed: () => resumed.inc(),
    left: (_id, { by }) => ended.inc({ by }),
    failed: () => failures.inc(),
  };
}

/** Adds the metrics that are read from the relay's `stats`. @returns A function that reads them. */
function addStats(registry: prometheus.Registry, relay: ServerApi): () => Promise<void> {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new prometheus.Gauge({ name: `hono_relay_${name}`, help, labelNames, registers });
  const counter = (name: string, help: string, labelNames: string[]) =>
    new prometheus.Counter({ name: `hono_relay_${name}_total`, help, labelNames, registers });
  const connections = gauge("connections", "Open sockets, those of the echo and those that are closing included");
  const sessions = gauge("sessions", "Sessions, those that are away included", ["protocol"]);
  const away = gauge("sessions_away", "Sessions without a connection");
  const rooms = gauge("rooms", "Rooms that have members");
  const watches = gauge("watches", "Ids that are watched");
  const mailboxMessages = gauge("mailbox_messages", "Messages in all mailboxes");
  const bufferedBytes = gauge("buffered_bytes", "Bytes that count against hono_relay_buffered_bytes_limit");
  const limits = {
    connections: gauge("connections_limit", "Most connections; +Inf is no bound"),
    sessions: gauge("sessions_limit", "Most sessions; +Inf is no bound"),
    bufferedBytes: gauge("buffered_bytes_limit", "Most bytes for all clients together"),
  };
  const messages = counter("messages", "Messages by protocol and outcome", ["protocol", "outcome"]);
  const recipients = counter("recipients", "Sessions that publishes reached", ["protocol"]);
  const received = counter("received_bytes", "Bytes of the frames that came", ["protocol"]);
  const sent = counter("sent_bytes", "Bytes of the messages that were sent", ["protocol"]);
  const misses = counter("heartbeat_misses", "Beats that passed without a sign of life", ["protocol"]);
  const closes = counter("closes", "Ends of sessions' connections by close code", ["code"]);
  const refusals = counter("handshakes_refused", "Refused handshakes by the code of the refusal", ["code"]);
  const setCounts = (protocol: string, counts: Counts): void => {
    messages.inc({ protocol, outcome: "delivered" }, counts.delivered);
    messages.inc({ protocol, outcome: "queued" }, counts.queued);
    for (const [outcome, count] of Object.entries(counts.failed)) messages.inc({ protocol, outcome }, count);
    recipients.inc({ protocol }, counts.recipients);
    received.inc({ protocol }, counts.receivedBytes);
    sent.inc({ protocol }, counts.sentBytes);
    misses.inc({ protocol }, counts.misses);
  };
  return async () => {
    const stats = await relay.stats();
    connections.set(stats.holdings.connections);
    for (const [protocol, count] of Object.entries(stats.sessions)) sessions.set({ protocol }, count);
    away.set(stats.away);
    rooms.set(stats.holdings.rooms);
    watches.set(stats.holdings.watches);
    mailboxMessages.set(stats.holdings.waitingMessages);
    bufferedBytes.set(4 * stats.holdings.bufferedBytes);
    limits.connections.set(stats.limits.maxConnections);
    limits.sessions.set(stats.limits.maxSessions);
    limits.bufferedBytes.set(stats.limits.maxTotalBufferedBytes);
    for (const each of [messages, recipients, received, sent, misses, closes, refusals]) each.reset();
    for (const [protocol, counts] of Object.entries(stats.messages)) setCounts(protocol, counts);
    for (const [code, count] of Object.entries(stats.closes)) closes.inc({ code }, count);
    for (const [code, count] of Object.entries(stats.refusals)) refusals.inc({ code }, count);
  };
}
