import { connect, type RelayClient } from "hono-relay/client";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { opened } from "../conformance/client.ts";
import { startFlow } from "../conformance/flow.ts";
import { makeFolder } from "../conformance/folder.ts";
import { makeKeyPair } from "../conformance/key-pair.ts";
import { freePort } from "../conformance/proc.ts";
import { runtimes } from "../conformance/runtimes.ts";
import { type Server, startServer } from "../conformance/server.ts";
import { until, within } from "../conformance/wait.ts";
import { isInstalled, type Program } from "./programs.ts";
import { nginx, proxies, type ReverseProxy } from "./proxies.ts";

const [NODE] = runtimes;
const SECRET = "a secret of thirty-two bytes or more";

describe.each(proxies)("the configuration of $name (without it: $install)", (proxy) => {
  const test = it(proxy);
  let relay: Server;
  let running: Program;
  let url = "";
  let ca = "";

  beforeAll(async () => {
    if (!isInstalled(proxy.name)) return;
    relay = await startRelay(0, {});
    ({ running, url, ca } = await startProxy(proxy, [relay.port, await freePort()]));
  });
  afterAll(() => {
    relay?.process.kill();
    running?.kill();
  });

  test("passes WebSockets on below its path, with TLS and with the client's address", async () => {
    const open = (localAddress: string) => {
      const headers = { "X-Forwarded-For": "9.9.9.9", Forwarded: "for=9.9.9.9" };
      return opened(new WebSocket(`${url}/relay/ws?from=1`, { ca, localAddress, headers }));
    };
    const one = await open("127.0.0.2");
    const two = await open("127.0.0.3");
    one.send("2:through the proxy");
    await expect(two.next()).resolves.toBe("1:through the proxy");
    two.send(`1:${"x".repeat(200_000)}`);
    await expect(one.next()).resolves.toHaveLength(200_002);
    for (const address of ["127.0.0.2", "127.0.0.3"]) {
      const connected = await relay.process.log.find(({ message }) => message.startsWith("connected"), "a connect");
      expect(connected).toMatchObject({ address });
    }
    await expect(opened(new WebSocket(`${url}/ws`, { ca }))).rejects.toThrow();
  });
});

describe("two relays behind nginx", () => {
  it(nginx)(
    "are restarted in turn under load, and no acknowledged message is lost or arrives twice",
    async () => {
      const ports = [await freePort(), await freePort()] as const;
      let [first, second] = await Promise.all([startRelay(ports[0]), startRelay(ports[1])]);
      const { running, url, ca } = await startProxy(nginx, ports);
      onTestFinished(() => {
        for (const relay of [first, second]) relay.process.kill();
        running.kill();
      });
      const pairs = await Promise.all(Array.from({ length: 10 }, () => startPair(`${url}/relay/ws`, ca)));
      const untilMoved = (welcomes: number) =>
        until(async () => pairs.every((pair) => pair.welcomes >= welcomes && pair.isFlowing()), "every pair to go on");
      await untilMoved(2);

      await drain(first);
      await untilMoved(4);
      first = await startRelay(ports[0]);
      // nginx asks a relay that was down again after `fail_timeout`.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      await drain(second);
      await untilMoved(6);
      second = await startRelay(ports[1]);

      for (const pair of pairs) await pair.stop();
      const delivered = pairs.reduce((sum, pair) => sum + pair.delivered.size, 0);
      expect(delivered).toBeGreaterThan(500);
      for (const { delivered, received, failures, ends } of pairs) {
        expect([...delivered].filter((number) => !received.has(number))).toEqual([]);
        expect([...received.values()].filter((times) => times > 1)).toEqual([]);
        expect(new Set(failures)).toEqual(new Set(failures.length > 0 ? ["no_such_id"] : []));
        expect(ends.map(({ code }) => code)).toEqual([1012, 1012, 1012, 1012]);
        expect(ends[0]?.retryMs).toBe(0);
      }
    },
    60_000,
  );
});

/** A test that is skipped, which CI does not allow, where the proxy is not installed. */
function it({ name }: ReverseProxy) {
  return test.skipIf(!isInstalled(name));
}

/** Starts a relay on Node. A relay with `RELAY_SECRET` has ids that begin with a mark of its process. */
function startRelay(port: number, env: Readonly<Record<string, string>> = { RELAY_SECRET: SECRET }): Promise<Server> {
  const settings = { RELAY_BASE_PATH: "/relay", RELAY_TRUSTED_PROXIES: "127.0.0.1", RELAY_DRAIN_MS: "500" };
  if (NODE === undefined) throw new Error("Cannot start a relay: there is no runtime");
  return startServer(NODE, { env: { ...settings, PORT: String(port), ...env } });
}

async function startProxy(proxy: ReverseProxy, relayPorts: readonly [number, number]) {
  const folder = makeFolder();
  const keyPair = makeKeyPair(folder, "relay");
  const port = await freePort();
  const running = proxy.start({ folder, keyPair, port, relayPorts });
  await running.untilListening(port);
  return { running, url: `wss://localhost:${port}`, ca: keyPair.certText };
}

async function drain({ process }: Server): Promise<void> {
  process.signal("SIGTERM");
  expect((await process.untilExit()).code).toBe(0);
}

/** Two clients of the library; one sends numbers to the other, each once, without a pause. */
async function startPair(url: string, ca: string) {
  let welcomes = 0;
  const ends: { readonly code: number; readonly retryMs: number }[] = [];
  const connectOne = (): RelayClient => {
    class TrustingSocket extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols, { ca });
      }
    }
    const client = connect(url, { WebSocket: TrustingSocket, minDelayMs: 50, maxDelayMs: 500 });
    onTestFinished(() => client.close());
    client.on("connected", () => welcomes++);
    client.on("disconnected", (ending) => ends.push(ending));
    return client;
  };
  const [sender, receiver] = [connectOne(), connectOne()];
  await within(Promise.all([sender.ready, receiver.ready]), "both welcomes");
  const flow = startFlow(sender, receiver);
  let deliveredAtWelcome = 0;
  for (const client of [sender, receiver]) client.on("connected", () => (deliveredAtWelcome = flow.delivered.size));
  return {
    ...flow,
    ends,
    get welcomes() {
      return welcomes;
    },
    /** Whether messages were delivered since the latest welcome. */
    isFlowing: () => flow.delivered.size > deliveredAtWelcome + 5,
  };
}
