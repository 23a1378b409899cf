import process from "node:process";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { AppOptions, Authorization, Message, RelayOptions } from "hono-relay";

const defect = new Error("a secret defect");

/** JavaScript lets pass what TypeScript refuses: an app that answers with something else than it should. */
function mistake<T>(value: unknown): T {
  return value as T;
}

/** What the app says of a client that calls itself so. Everybody else gets the name as an id. */
const AUTHORIZATIONS = new Map<string, () => Authorization | Promise<Authorization>>([
  ["refused-401", () => ({ allow: false, status: 401, message: "Who are you?" })],
  ["refused-403", () => Promise.resolve({ allow: false, status: 403, message: "Not you" })],
  ["throws", () => fail(defect)],
  ["throws-nothing", () => fail(undefined)],
  ["rejects", () => Promise.reject(defect)],
  ["rejects-with-text", () => Promise.reject("a secret defect")],
  ["answers-undefined", () => mistake(undefined)],
  ["answers-null", () => mistake(null)],
  ["answers-true", () => mistake(true)],
  ["id-empty", () => ({ allow: true, id: "" })],
  ["id-with-space", async () => ({ allow: true, id: "a b" })],
  ["id-too-long", () => ({ allow: true, id: "x".repeat(65) })],
  ["id-null", () => mistake({ allow: true, id: null })],
  ["id-number", () => mistake({ allow: true, id: 7 })],
]);

/** What the app says of a message with this text. Every other may pass. */
const VERDICTS = new Map<string, () => boolean | undefined>([
  ["refuse", () => false],
  ["throw", () => fail(defect)],
  ["throw nothing", () => fail(undefined)],
  ["promise true", () => mistake(Promise.resolve(true))],
  ["promise false", () => mistake(Promise.resolve(false))],
  ["reject", () => mistake(Promise.reject(defect))],
  ["reject later", () => mistake(rejectLater())],
]);

/** What the app does when a session begins or ends whose id begins so. */
const ERRANDS = new Map<string, () => unknown>([
  ["throws", () => fail(defect)],
  ["rejects", () => Promise.reject(defect)],
  ["rejects-later", rejectLater],
]);

/** Those who ask to be let in late. */
const waiting: (() => void)[] = [];

/** A number that a test sets for the app. */
function setting(variable: string, otherwise: number): number {
  return Number(process.env[variable] ?? otherwise);
}

/** The hooks of the app, chosen by its clients: what they call themselves, and what they send. */
export const options: AppOptions & RelayOptions = {
  limits: { maxConnections: setting("APP_MAX_CONNECTIONS", Number.POSITIVE_INFINITY) },
  maxConnectionsPerIp: setting("APP_MAX_CONNECTIONS_PER_IP", Number.POSITIVE_INFINITY),
  trustedProxies: "127.0.0.0/8",
  heartbeatMs: setting("APP_HEARTBEAT_MS", 500),
  resumeMs: 300,
  async authorize(request) {
    const name = new URL(request.url).searchParams.get("name") ?? "";
    if (name.startsWith("late")) {
      tell("asked", name);
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    const decide = AUTHORIZATIONS.get(name);
    return decide === undefined ? { allow: true, id: name } : decide();
  },
  hooks: {
    onMessage: ({ message }) => judge(message),
    onOpen: (id) => doErrand("open", id),
    onClose: (id) => doErrand("close", id),
  },
  observer: {
    failed: (id, error) => tell("failed", id, error),
    // It may not throw; what is done where something does all the same is seen by it.
    received: (_id, { payload }) => {
      if (String(payload).includes("a fault in the relay")) fail(defect);
    },
  },
};

/** Of another relay in the app: nobody observes it, and its hook fails. */
export const unobserved: RelayOptions = {
  hooks: { onOpen: () => fail(new Error("the hook of an app that observes nothing")) },
};

/** The app around the relay, with routes of its own. */
export function createHouse(): Hono {
  const app = new Hono();
  app.get("/", (c) => c.text("somebody's app"));
  app.post("/let-in", (c) => {
    for (const resolve of waiting.splice(0)) resolve();
    return c.text("done");
  });
  app.post("/length", async (c) => c.text(String((await c.req.text()).length)));
  app.get("/events", (c) =>
    streamSSE(c, async (stream) => {
      stream.onAbort(() => tell("left the events", c.req.query("name") ?? ""));
      while (!stream.aborted) await stream.writeSSE({ data: "x".repeat(10_000) });
    }),
  );
  return app;
}

export function sayListening(port: number | undefined): void {
  console.log(`listening on http://127.0.0.1:${port}`);
}

function judge({ kind, payload }: Message): boolean | undefined {
  if (kind === "bytes") return undefined;
  const text = typeof payload === "string" ? payload : new TextDecoder().decode(payload);
  if (text === "only as a string") return typeof payload === "string";
  return VERDICTS.get(text)?.();
}

/** @returns A promise where the errand is one that takes its time. */
function doErrand(event: "open" | "close", id: string): unknown {
  const [, errand = ""] = id.match(`^${event}-(.+)$`) ?? [];
  return ERRANDS.get(errand)?.();
}

/** Writes a line as the relay's own log has them. */
function tell(message: string, id: string, error?: unknown): void {
  console.error(JSON.stringify({ level: "INFO", message, id, error: String(error) }));
}

function fail(reason: unknown): never {
  throw reason;
}

async function rejectLater(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  throw defect;
}
