import { describe, expect, test } from "vitest";
import { runtimes } from "./runtimes.ts";
import { ownServer, sharedServer } from "./subject.ts";

/** Body of a refusal: a code for programs and a sentence for people. */
interface Refusal {
  readonly error: { readonly code: string; readonly message: string };
}

async function readError(response: Response): Promise<Refusal["error"]> {
  expect(response.headers.get("Content-Type")).toContain("application/json");
  const { error } = (await response.json()) as Refusal; // A body of another shape fails where the test compares it.
  return error;
}

describe.each(runtimes)("the HTTP side of the relay on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(["/ws", "/echo", "/ws?from=1"])(
    "answers a plain GET of %s with the headers that a proxy must pass on",
    async (path) => {
      const response = await fetch(server().url(path));
      expect(response.status).toBe(426);
      expect(response.headers.get("Upgrade")).toBe("websocket");
      const { code, message } = await readError(response);
      expect(code).toBe("upgrade_required");
      expect(message).toMatch(/proxy .*Upgrade and Connection/);
    },
  );

  test.each(["POST", "PUT", "DELETE"])("answers %s /ws with 405, and asks for GET", async (method) => {
    const response = await fetch(server().url("/ws"), { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("Allow")).toBe("GET");
    expect((await readError(response)).message).toContain(method);
  });

  test("answers /healthz while the process lives", async () => {
    const response = await fetch(server().url("/healthz"));
    expect(response.status).toBe(200);
    await expect(response.json()).resolves.toEqual({ status: "ok" });
  });

  test("answers /readyz with 200 while the relay accepts connections", async () => {
    const response = await fetch(server().url("/readyz"));
    expect(response.status).toBe(200);
    await expect(response.json()).resolves.toEqual({ status: "ready" });
  });

  test("answers / with plain text that says what this is, and where to connect", async () => {
    for (const method of ["GET", "HEAD"]) {
      const response = await fetch(server().url("/"), { method });
      expect(response.status).toBe(200);
      expect(response.headers.get("Content-Type")).toMatch(/^text\/plain/);
      const text = await response.text();
      if (method === "GET") expect(text).toMatch(/WebSocket relay[\s\S]*\/ws/);
    }
    expect((await fetch(server().url("/"), { method: "POST" })).status).toBe(404);
  });

  test("answers any other path with 404 and a sentence", async () => {
    const response = await fetch(server().url("/other?x=1"));
    expect(response.status).toBe(404);
    const { code, message } = await readError(response);
    expect(code).toBe("not_found");
    expect(message).toContain("/other");
  });

  test("answers many requests over kept connections", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(server().url("/healthz"))));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  });
});

describe.each(runtimes)("a relay that shuts down on $name", (runtime) => {
  test("answers /readyz and new clients with 503, and /healthz with 200", async () => {
    const server = await ownServer(runtime);
    // A raw client doesn't answer the close frame, so that the relay waits for it.
    const { raw } = await server.connectRaw();
    server.process.signal("SIGTERM");
    await expect(raw.closeCode()).resolves.toBe(1001);
    if (runtime.exceptions.skipsClosingHandshake !== undefined) {
      expect((await server.process.untilExit()).code).toBe(0);
      return;
    }
    const [ready, health] = await Promise.all([fetch(server.url("/readyz")), fetch(server.url("/healthz"))]);
    expect(ready.status).toBe(503);
    expect((await readError(ready)).code).toBe("shutting_down");
    expect(health.status).toBe(200);
    await expect(server.open()).rejects.toThrow("503");
    expect((await server.process.untilExit()).code).toBe(0);
  });
});
