import { describe, expect, test } from "vitest";
import { combineObservers } from "../../../src/core/session/combine-observers.ts";
import { Metrics } from "../../../src/http/metrics/metrics.ts";
import { startJsonRelay } from "../json-client.ts";

const KEY = "k".repeat(32);

/** Starts a relay with metrics. `scrape` returns the lines of a metric, without its name's prefix. */
function startMetrics() {
  const metrics = new Metrics({ version: "1.2.3" });
  const started = startJsonRelay({ observer: metrics.observer });
  const app = metrics.routes(started.relay, { keys: "open" });
  const scrape = async (name: string, accept = "*/*"): Promise<string[]> => {
    const text = await (await app.request("/metrics", { headers: { Accept: accept } })).text();
    return text.split("\n").filter((line) => line.startsWith(`hono_relay_${name}`) && !line.endsWith(" 0"));
  };
  return { ...started, app, scrape };
}

describe("the metrics", () => {
  test("count messages by the protocol of their sender and by their outcome", async () => {
    const { connect, connectJson, scrape } = startMetrics();
    const plain = connect();
    const json = connectJson();
    plain.says("2:hello");
    plain.says("9:hello");
    json.sends("1", "hello", 1);
    json.asks({ type: "join", room: "lobby" });
    json.asks({ type: "publish", room: "lobby", data: "all", echo: true });
    expect(await scrape("messages_total")).toEqual([
      'hono_relay_messages_total{protocol="plain",outcome="delivered"} 1',
      'hono_relay_messages_total{protocol="plain",outcome="no_such_id"} 1',
      'hono_relay_messages_total{protocol="relay.v1.json",outcome="delivered"} 2',
    ]);
    expect(await scrape("recipients_total")).toEqual(['hono_relay_recipients_total{protocol="relay.v1.json"} 1']);
    expect(await scrape("rooms")).toEqual(["hono_relay_rooms 1"]);
    expect(await scrape("sessions{")).toEqual([
      'hono_relay_sessions{protocol="plain"} 1',
      'hono_relay_sessions{protocol="relay.v1.json"} 1',
    ]);
  });

  test("count how sessions begin, get lost, come back and end", async () => {
    const { connectJson, resume, scrape } = startMetrics();
    const one = connectJson();
    one.vanishes();
    expect(await scrape("sessions_away")).toEqual(["hono_relay_sessions_away 1"]);
    resume(one).leaves();
    expect(await scrape("sessions_opened_total")).toEqual([
      'hono_relay_sessions_opened_total{protocol="relay.v1.json"} 1',
    ]);
    expect(await scrape("sessions_lost_total")).toEqual(['hono_relay_sessions_lost_total{by="client"} 1']);
    expect(await scrape("sessions_resumed_total")).toEqual(["hono_relay_sessions_resumed_total 1"]);
    expect(await scrape("sessions_ended_total")).toEqual(['hono_relay_sessions_ended_total{by="client"} 1']);
    expect(await scrape("closes_total")).toEqual([
      'hono_relay_closes_total{code="1000"} 1',
      'hono_relay_closes_total{code="1006"} 1',
    ]);
  });

  test("have no more lines whatever close codes clients choose", async () => {
    const { connect, scrape } = startMetrics();
    for (let code = 4600; code < 4700; code++) connect().link.onPeerClosing(code, "");
    expect(await scrape("closes_total")).toEqual(['hono_relay_closes_total{code="other"} 100']);
  });

  test("are the same in both formats, whichever is asked for first", async () => {
    const { app, connect, scrape } = startMetrics();
    connect().says("1:to myself");
    const openMetrics = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    const line = 'hono_relay_messages_total{protocol="plain",outcome="delivered"} 1';
    expect(await scrape("messages_total", openMetrics)).toEqual([line]);
    expect(await scrape("messages_total")).toEqual([line]);
    expect(await scrape("messages_total", openMetrics)).toEqual([line]);
    const response = await app.request("/metrics", { headers: { Accept: openMetrics } });
    expect(response.headers.get("Content-Type")).toContain("application/openmetrics-text");
    const text = await response.text();
    expect(text.endsWith("# EOF\n")).toBe(true);
    expect(text).toContain("# TYPE hono_relay_messages counter");
    expect(await (await app.request("/metrics")).text()).toContain("# TYPE hono_relay_messages_total counter");
  });

  test("name what runs", async () => {
    const { scrape } = startMetrics();
    expect(await scrape("build_info")).toEqual([
      expect.stringMatching(/version="1\.2\.3",runtime="Node\.js\/\d+"\} 1/),
    ]);
  });

  test("ask for a key, unless they are open", async () => {
    const metrics = new Metrics();
    const { relay } = startJsonRelay({ observer: metrics.observer });
    const app = metrics.routes(relay, { keys: [KEY] });
    expect((await app.request("/metrics")).status).toBe(401);
    expect((await app.request("/metrics", { headers: { Authorization: `Bearer ${KEY}x` } })).status).toBe(401);
    expect((await app.request("/metrics", { headers: { Authorization: `Bearer ${KEY}` } })).status).toBe(200);
  });
});

describe("a combined observer", () => {
  test("tells each of its observers, also after one has thrown, and has no member that none of them has", () => {
    const told: string[] = [];
    const observer = combineObservers(
      {
        resumed: (id) => {
          told.push(`first ${id}`);
          throw new Error("broken");
        },
      },
      { resumed: (id) => void told.push(`second ${id}`), failed: () => void told.push("failed") },
    );
    expect(() => observer.resumed?.("7", true)).toThrow("broken");
    expect(told).toEqual(["first 7", "second 7"]);
    expect(Object.keys(observer)).toEqual(["resumed", "failed"]);
  });
});
