import { describe, expect, test } from "vitest";
import { runtimes } from "./runtimes.ts";
import { ownServer, sharedServer } from "./subject.ts";

/** What the relay answers where it refuses: a code for programs and a sentence for people. */
interface Failure {
  readonly error: { readonly code: string; readonly message: string };
}

async function failureOf(response: Response): Promise<Failure["error"]> {
  expect(response.headers.get("Content-Type")).toContain("application/json");
  const { error } = (await response.json()) as Failure; // Every refusal has this shape; a wrong one fails below.
  return error;
}

describe.each(runtimes)("HTTP on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(["/ws", "/echo", "/ws?from=1"])("a plain GET of %s is told what a proxy must pass on", async (path) => {
    const response = await fetch(server().url(path));
    expect(response.status).toBe(426);
    expect(response.headers.get("Upgrade")).toBe("websocket");
    const { code, message } = await failureOf(response);
    expect(code).toBe("upgrade_required");
    expect(message).toMatch(/proxy .*Upgrade and Connection/);
  });

  test.each(["POST", "PUT", "DELETE"])("%s /ws is told to use GET", async (method) => {
    const response = await fetch(server().url("/ws"), { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("Allow")).toBe("GET");
    expect((await failureOf(response)).message).toContain(method);
  });

  test("/healthz says that the process lives", async () => {
    const response = await fetch(server().url("/healthz"));
    expect(response.status).toBe(200);
    await expect(response.json()).resolves.toEqual({ status: "ok" });
  });

  test("/readyz says that the relay takes connections", async () => {
    const response = await fetch(server().url("/readyz"));
    expect(response.status).toBe(200);
    await expect(response.json()).resolves.toEqual({ status: "ready" });
  });

  test("/ says in plain text what this is, and where the relay is", async () => {
    for (const method of ["GET", "HEAD"]) {
      const response = await fetch(server().url("/"), { method });
      expect(response.status).toBe(200);
      expect(response.headers.get("Content-Type")).toMatch(/^text\/plain/);
      const text = await response.text();
      if (method === "GET") expect(text).toMatch(/WebSocket relay[\s\S]*\/ws/);
    }
    expect((await fetch(server().url("/"), { method: "POST" })).status).toBe(404);
  });

  test("any other address is answered 404 with a sentence", async () => {
    const response = await fetch(server().url("/other?x=1"));
    expect(response.status).toBe(404);
    const { code, message } = await failureOf(response);
    expect(code).toBe("not_found");
    expect(message).toContain("/other");
  });

  test("a request that is no upgrade can follow another on the same connection", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(server().url("/healthz"))));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  });
});

describe.each(runtimes)("a relay that shuts down on $name", (runtime) => {
  test("says 503 to /readyz and to new clients, while /healthz still says that it lives", async () => {
    const server = await ownServer(runtime);
    // Does not answer the close, so that the relay waits for it.
    const { raw } = await server.connectRaw();
    server.process.signal("SIGTERM");
    await expect(raw.closeCode()).resolves.toBe(1001);
    if (runtime.exceptions.closeWaitsForNobody !== undefined) {
      expect((await server.process.exit()).code).toBe(0);
      return;
    }
    const [ready, health] = await Promise.all([fetch(server.url("/readyz")), fetch(server.url("/healthz"))]);
    expect(ready.status).toBe(503);
    expect((await failureOf(ready)).code).toBe("shutting_down");
    expect(health.status).toBe(200);
    await expect(server.open()).rejects.toThrow("503");
    expect((await server.process.exit()).code).toBe(0);
  });
});
