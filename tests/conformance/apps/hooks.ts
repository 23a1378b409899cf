import process from "node:process";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import {
  type AppOptions,
  type Authorization,
  Message,
  type MessageVerdict,
  type Relay,
  type RelayOptions,
} from "hono-relay";

const defect = new Error("a secret defect");

/** Returns a value of the wrong type, as an app in JavaScript can. */
function wrongType<T>(value: unknown): T {
  return value as T;
}

/** Answers of `authorize`, by the client's name. Any other client is accepted, with its name as id. */
const AUTHORIZATIONS = new Map<string, () => Authorization | Promise<Authorization>>([
  ["refused-401", () => ({ allow: false, status: 401, message: "Who are you?" })],
  ["refused-403", () => Promise.resolve({ allow: false, status: 403, message: "Not you" })],
  ["throws", () => fail(defect)],
  ["throws-nothing", () => fail(undefined)],
  ["rejects", () => Promise.reject(defect)],
  ["rejects-with-text", () => Promise.reject("a secret defect")],
  ["answers-undefined", () => wrongType(undefined)],
  ["answers-null", () => wrongType(null)],
  ["answers-true", () => wrongType(true)],
  ["id-empty", () => ({ allow: true, id: "" })],
  ["id-with-space", async () => ({ allow: true, id: "a b" })],
  ["id-too-long", () => ({ allow: true, id: "x".repeat(65) })],
  ["id-null", () => wrongType({ allow: true, id: null })],
  ["id-number", () => wrongType({ allow: true, id: 7 })],
]);

/** Answers of `onMessage`, by the message's text. Any other message is accepted. */
const DECISIONS = new Map<string, () => MessageVerdict | Promise<MessageVerdict>>([
  ["refuse", () => false],
  ["throw", () => fail(defect)],
  ["throw nothing", () => fail(undefined)],
  ["a number", () => wrongType(1)],
  ["promise false", () => Promise.resolve(false)],
  ["reject", () => Promise.reject(defect)],
  ["reject later", rejectLater],
  ["wait", () => decideLater(true)],
  ["replace", () => Message.of({ instead: "of it" })],
  ["replace later", () => decideLater(Message.of(new Uint8Array([1, 255])))],
]);

/** Faults of `onOpen` and `onClose`: the id `open-throws` makes `onOpen` throw. */
const FAULTS = new Map<string, () => unknown>([
  ["throws", () => fail(defect)],
  ["rejects", () => Promise.reject(defect)],
  ["rejects-later", rejectLater],
]);

/** Callbacks that accept the clients whose authorization is pending. */
const pending: (() => void)[] = [];

/** Reads a number from the environment. */
function setting(variable: string, defaultValue: number): number {
  return Number(process.env[variable] ?? defaultValue);
}

/** Options of the relay. Its clients choose what the hooks do, by their names and their messages. */
export const options: AppOptions & RelayOptions = {
  limits: { maxConnections: setting("APP_MAX_CONNECTIONS", Number.POSITIVE_INFINITY) },
  maxConnectionsPerIp: setting("APP_MAX_CONNECTIONS_PER_IP", Number.POSITIVE_INFINITY),
  trustedProxies: "127.0.0.0/8",
  heartbeatMs: setting("APP_HEARTBEAT_MS", 500),
  resumeMs: 300,
  async authorize(request) {
    const name = new URL(request.url).searchParams.get("name") ?? "";
    if (name.startsWith("late")) {
      writeLog("asked", name);
      await new Promise<void>((resolve) => pending.push(resolve));
    }
    const decide = AUTHORIZATIONS.get(name);
    const data = { agent: request.headers.get("user-agent") };
    return decide === undefined ? { allow: true, id: name, data } : decide();
  },
  hooks: {
    onMessage: ({ message }) => decideMessage(message),
    onOpen: ({ id }) => causeFault("open", id),
    onAway: ({ id }) => writeLog("onAway", id),
    onBack: ({ id }) => writeLog("onBack", id),
    onClose: ({ id }) => causeFault("close", id),
    onJoin: ({ id }, room) => writeLog(`onJoin ${room}`, id),
    onLeave: ({ id }, room) => writeLog(`onLeave ${room}`, id),
  },
  observer: {
    failed: (id, error) => writeLog("failed", id, error),
    // An observer must not throw. This one does, to cause an exception inside the relay.
    received: (_id, { payload }) => {
      if (String(payload).includes("a fault in the relay")) fail(defect);
    },
  },
};

/**
 * Options of a second relay in the app: it has no observer, and its hook fails. It closes each connection of a client
 * with the name `expires` at once, and waits longer for the answer than a relay does by default.
 */
export const unobserved: AppOptions & RelayOptions = {
  closeTimeoutMs: 3000,
  authorize(request) {
    const expires = new URL(request.url).searchParams.get("name") === "expires";
    return expires ? { allow: true, expiresAt: Date.now() } : { allow: true };
  },
  hooks: { onOpen: () => fail(new Error("the hook of an app that observes nothing")) },
};

/** Creates the app around the relay, with routes of its own. */
export function createApp(): Hono {
  const app = new Hono();
  app.get("/", (c) => c.text("somebody's app"));
  app.post("/accept-pending", (c) => {
    for (const resolve of pending.splice(0)) resolve();
    return c.text("done");
  });
  app.post("/length", async (c) => c.text(String((await c.req.text()).length)));
  app.get("/events", (c) =>
    streamSSE(c, async (stream) => {
      stream.onAbort(() => writeLog("left the events", c.req.query("name") ?? ""));
      while (!stream.aborted) await stream.writeSSE({ data: "x".repeat(10_000) });
    }),
  );
  return app;
}

/** Adds a route that runs a command of the server's API, such as `POST /command/send` with its arguments in JSON. */
export function serveCommands(app: Hono, relay: Relay): void {
  app.post("/command/:name", async (c) => {
    const { args, bytes } = await c.req.json<{ readonly args: unknown[]; readonly bytes?: number[] }>();
    if (bytes !== undefined) args.push(Uint8Array.from(bytes));
    const name = c.req.param("name") as keyof Relay; // The tests name methods.
    const command = relay[name] as (...args: unknown[]) => Promise<unknown>;
    return c.json({ result: await command.apply(relay, args) });
  });
}

export function sayListening(port: number | undefined): void {
  console.log(`listening on http://127.0.0.1:${port}`);
}

function decideMessage({ kind, payload }: Message): MessageVerdict | Promise<MessageVerdict> {
  if (kind === "bytes") return undefined;
  const text = typeof payload === "string" ? payload : new TextDecoder().decode(payload);
  if (text === "only as a string") return typeof payload === "string";
  return DECISIONS.get(text)?.();
}

/** Runs the fault that the id names for this hook, if any. @returns The fault's promise where it has one. */
function causeFault(event: "open" | "close", id: string): unknown {
  const [, fault = ""] = id.match(`^${event}-(.+)$`) ?? [];
  return FAULTS.get(fault)?.();
}

/** Writes a line in the format of the relay's own log. */
function writeLog(message: string, id: string, error?: unknown): void {
  console.error(JSON.stringify({ level: "INFO", message, id, error: String(error) }));
}

function fail(reason: unknown): never {
  throw reason;
}

async function decideLater(verdict: MessageVerdict): Promise<MessageVerdict> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return verdict;
}

async function rejectLater(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  throw defect;
}
