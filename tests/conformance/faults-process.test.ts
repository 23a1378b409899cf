import { createConnection, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { BusySender } from "./busy-sender.ts";
import type { Client } from "./client.ts";
import { connectJson, type JsonClient, type JsonFrame } from "./json-client.ts";
import type { LogLine } from "./process.ts";
import { handshake } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { ownServer } from "./subject.ts";
import { Inbox, until, within } from "./wait.ts";
import { hasFakeTime, WallClock } from "./wall-clock.ts";

const SENDERS = 20;
/** Acknowledged messages after which the signal is sent. */
const ACKNOWLEDGED_BEFORE = 3000;

/** Limit of file descriptors: enough for each runtime's own files and some clients. */
const DESCRIPTORS = 300;
/** Most descriptors that a server which has run out may hold besides those of answered handshakes. */
const OTHER_DESCRIPTORS = 10;

/** Longer than three beats of 200 ms, and than Deno's timeout of whole seconds. */
const STOPPED_MS = 2500;

const DAY_MS = 86_400_000;
if (!hasFakeTime) console.warn("Skipped: the wall clock; apt-get install libfaketime");

describe.each(runtimes)("SIGTERM under load on $name", (runtime) => {
  test("loses no message that was acknowledged as delivered, and closes every client with 1001", async () => {
    const server = await ownServer(runtime);
    const clients = await Promise.all(Array.from({ length: SENDERS }, () => connectJson(server)));
    const senders = clients.map((client) => new BusySender(client));
    const busy = new Promise<void>((resolve) => {
      let count = 0;
      for (const sender of senders) sender.onAck = () => ++count === ACKNOWLEDGED_BEFORE && resolve();
    });
    const ids = clients.map(({ id }) => id);
    for (const sender of senders) sender.start(ids.filter((id) => id !== sender.id));
    await within(busy, `${ACKNOWLEDGED_BEFORE} acknowledged messages`);
    server.process.signal("SIGTERM");
    const ends = await Promise.all(clients.map(async (client) => ({ id: client.id, ...(await client.untilClosed()) })));
    await Promise.all(senders.map((sender) => sender.ended));
    const resets = ends.filter(({ code }) => code === 1006).map(({ id }) => id);
    if (runtime.exceptions.resetsBusyClients === undefined) expect(resets).toEqual([]);
    const others = ends.filter(({ id }) => !resets.includes(id));
    expect(new Set(others.map(({ code, reason }) => `${code} ${reason}`))).toEqual(
      new Set(["1001 The relay is shutting down"]),
    );
    const received = new Map(senders.map(({ id, received }) => [id, received]));
    const lost = senders
      .flatMap(({ delivered }) => delivered)
      .filter(({ to, mark }) => !resets.includes(to) && !received.get(to)?.has(mark));
    expect(lost).toEqual([]);
    expect((await server.process.untilExit()).code).toBe(0);
  });
});

/** Returns whether the relay accepts a new client. */
async function acceptsClient(server: Server): Promise<boolean> {
  const client = await server.open("/echo").catch(() => undefined);
  await client?.close();
  return client !== undefined;
}

describe.each(runtimes)("a relay out of file descriptors on $name", (runtime) => {
  test("serves its connected clients, and accepts new clients when others have left", async () => {
    const server = await ownServer(runtime, { descriptors: DESCRIPTORS });
    const [one, two] = [await server.connect(), await server.connect()];
    for (const times of ["once", "once more"]) {
      const crowd = await exhaustDescriptors(server);
      await talk(one, two);
      for (const { socket } of crowd) socket.resetAndDestroy();
      await until(async () => server.process.descriptors < DESCRIPTORS / 2, `descriptors to be free again, ${times}`);
      await talk(one, two);
      // A runtime may have closed its listener, and opens it again after a moment.
      await until(() => acceptsClient(server), `the relay to accept clients again, ${times}`);
      await server.relayOne();
    }
    server.process.signal("SIGTERM");
    await expect(one.untilClosed()).resolves.toMatchObject({ code: 1001 });
    expect((await server.process.untilExit()).code).toBe(0);
  });

  test("shuts down in order", async () => {
    const server = await ownServer(runtime, { descriptors: DESCRIPTORS });
    const one = await server.connect();
    await exhaustDescriptors(server);
    server.process.signal("SIGTERM");
    await expect(one.untilClosed()).resolves.toMatchObject({ code: 1001 });
    expect((await server.process.untilExit()).code).toBe(0);
  });
});

describe.each(runtimes)("a relay that was suspended for a while on $name", (runtime) => {
  test("drops no client that is alive", async () => {
    const server = await ownServer(runtime, { env: { RELAY_HEARTBEAT_MS: "200" } });
    const liveClients = await LiveClients.connect(server);
    server.process.signal("SIGSTOP");
    // The test needs this time to pass for the relay; it doesn't wait for an event.
    await new Promise((resolve) => setTimeout(resolve, STOPPED_MS));
    server.process.signal("SIGCONT");
    await outliveSilentClient(server);
    await liveClients.expectAlive();
  });
});

describe.each(runtimes)("a relay whose wall clock jumps by a day, on $name", (runtime) => {
  test.skipIf(!hasFakeTime)("drops no client that is alive, and still drops a silent one", async () => {
    const clock = new WallClock();
    const server = await ownServer(runtime, { env: { RELAY_HEARTBEAT_MS: "200", ...clock.env } });
    const liveClients = await LiveClients.connect(server);
    for (const days of [1, -1, 0]) {
      clock.set(days);
      const left = await outliveSilentClient(server);
      const offsetMs = Date.parse(String(left["@timestamp"])) - Date.now();
      expect(Math.round(offsetMs / DAY_MS) === days).toBe(true);
      await liveClients.expectAlive();
    }
    server.process.expectAlive();
  });
});

/** Two plain clients and one of `relay.v1.json` that send nothing and answer pings. */
class LiveClients {
  readonly #one: Client;
  readonly #two: Client;
  readonly #json: JsonClient;
  /** Frames that the client of `relay.v1.json` received, without pings. */
  readonly #frames = new Inbox<JsonFrame>();

  private constructor(one: Client, two: Client, json: JsonClient) {
    this.#one = one;
    this.#two = two;
    this.#json = json;
    void this.#read();
  }

  static async connect(server: Server): Promise<LiveClients> {
    return new LiveClients(await server.connect(), await server.connect(), await connectJson(server));
  }

  async expectAlive(): Promise<void> {
    await talk(this.#one, this.#two);
    this.#json.send({ type: "members", room: "nowhere", ackId: 1 });
    await expect(this.#frames.next("an answer")).resolves.toMatchObject({ ackId: 1 });
  }

  async #read(): Promise<void> {
    for (;;) {
      const frame = await this.#json.next().catch((error: unknown) => this.#frames.end(String(error)));
      if (frame === undefined) return;
      this.#frames.push(frame);
    }
  }
}

/** Connects a client that answers no ping, and waits until the relay drops it. @returns The log's line about that. */
async function outliveSilentClient(server: Server): Promise<LogLine> {
  const { raw, id } = await server.connectRaw();
  const line = await server.untilLeft(id);
  expect(line.code).toBe(1006);
  await raw.gone;
  return line;
}

/** Client whose handshake the server may never answer. */
class CrowdMember {
  readonly socket: Socket;
  isAnswered = false;

  constructor(port: number) {
    this.socket = createConnection(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.socket.once("data", () => {
      this.isAnswered = true;
    });
    this.socket.write(handshake());
    onTestFinished(() => void this.socket.destroy());
  }
}

/**
 * Connects more clients than the server has file descriptors for, and waits until it has none left.
 *
 * Waits for the answers to the accepted handshakes too: Deno.serve keeps the socket of a client that resets its
 * connection before the answer (`leaksSocketOnReset`).
 *
 * @returns The clients.
 */
async function exhaustDescriptors(server: Server): Promise<CrowdMember[]> {
  const before = server.process.descriptors;
  const crowd = Array.from({ length: DESCRIPTORS * 2 }, () => new CrowdMember(server.port));
  await until(async () => server.process.descriptors >= DESCRIPTORS - 2, "the descriptors to run out");
  await until(
    async () => crowd.filter(({ isAnswered }) => isAnswered).length >= DESCRIPTORS - before - OTHER_DESCRIPTORS,
    "the accepted handshakes to be answered",
  );
  return crowd;
}

/** Checks that each of the two clients receives a message of the other. */
async function talk(one: Client, two: Client): Promise<void> {
  one.send(`${two.id}:hello`);
  await expect(two.next()).resolves.toBe("hello");
  two.send(`${one.id}:and back`);
  await expect(one.next()).resolves.toBe("and back");
}
