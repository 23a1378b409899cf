import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { openJson } from "./json-client.ts";
import { handshake, openTcp } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { ownServer, sharedApp } from "./subject.ts";
import { until, within } from "./wait.ts";

const HARMLESS = ["compress", "cors", "etag", "logger", "request-id", "secure-headers", "timeout", "timing", "clone"];

/** Middleware that refuses every client, each with the status of its refusal. */
const REFUSING: readonly (readonly [name: string, status: number])[] = [
  ["refuse-after", 403],
  ["refuse-late", 403],
  ["replace-after", 200],
  ["throw-after", 500],
];

const FORBIDDEN = { code: 4503, reason: "This client may not connect" };

function address(app: Server, behind: string, name: string): string {
  return `ws://127.0.0.1:${app.port}/behind/${behind}/ws?name=${name}`;
}

/** Sends a valid handshake. @returns The headers of the answer. */
async function fetchHandshakeHeaders(url: string): Promise<NodeJS.Dict<string | string[]>> {
  const ws = new WebSocket(url);
  const [{ headers }] = await within(once(ws, "upgrade"), "the answer to the handshake");
  ws.terminate();
  return headers;
}

/** Checks that no client has the id. */
async function expectNobody(app: Server, id: string): Promise<void> {
  const one = await openJson(`ws://127.0.0.1:${app.port}/relay/ws?name=asking`);
  const { error } = await one.ask({ type: "send", to: id, data: "anybody?" });
  expect(error).toMatchObject({ code: "no_such_id" });
  await one.close();
}

describe.each(runtimes)("the relay behind an app's middleware on $name", (runtime) => {
  const app = sharedApp(runtime);
  const { upgradesBeforeMiddleware, losesLateHeaders, thrownNonErrorEndsServer } = runtime.exceptions;

  test.each(HARMLESS)("serves clients behind %s", async (behind) => {
    const one = await openJson(address(app(), behind, `behind-${behind}`));
    one.send({ type: "send", to: `behind-${behind}`, data: "hello" });
    expect(await one.next()).toMatchObject({ from: `behind-${behind}`, data: "hello" });
    await one.close();
  });

  test("answers a handshake with the headers that middleware set before it, once each", async () => {
    const headers = await fetchHandshakeHeaders(address(app(), "set-before", "one"));
    expect(headers["x-before"]).toBe("yes");
    expect(headers["set-cookie"]).toEqual(["one=1; Path=/", "two=2; Path=/"]);
    expect(headers["access-control-allow-origin"]).toBeUndefined();
    expect(headers.connection).toMatch(/^upgrade$/i);
    expect(headers.upgrade).toBe("websocket");
    expect((await fetchHandshakeHeaders(address(app(), "request-id", "one")))["x-request-id"]).toMatch(
      /^[0-9a-f-]{36}$/,
    );
    expect((await fetchHandshakeHeaders(address(app(), "cors", "one")))["access-control-allow-origin"]).toBe("*");
  });

  test("answers a handshake with the headers that middleware set after it, without those of a body", async () => {
    const headers = await fetchHandshakeHeaders(address(app(), "set-after", "one"));
    const hasLateHeaders = losesLateHeaders === undefined;
    expect(headers["x-after"]).toBe(hasLateHeaders ? "yes" : undefined);
    expect(headers["set-cookie"]).toEqual(hasLateHeaders ? ["late=1"] : undefined);
    expect(headers["content-length"]).toBeUndefined();
    const secured = await fetchHandshakeHeaders(address(app(), "secure-headers", "one"));
    expect(secured["x-content-type-options"]).toBe(hasLateHeaders ? "nosniff" : undefined);
  });

  test("is not reached where a middleware refuses before it", async () => {
    const raw = await openTcp(app().port);
    raw.write(handshake({ path: "/behind/refuse-before/ws?name=refused" }));
    const answer = await raw.answer();
    expect(answer.status).toBe(403);
    expect(await raw.body(answer)).toBe("not you");
    await expectNobody(app(), "refused");
  });

  test.each(REFUSING)("keeps no client connected that a middleware refuses after it: %s", async (behind, status) => {
    const raw = await openTcp(app().port);
    raw.write(handshake({ path: `/behind/${behind}/ws?name=${behind}` }));
    const answer = await raw.answer();
    if (upgradesBeforeMiddleware === undefined) {
      expect(answer.status).toBe(status);
      await within(raw.gone, "the end of the connection");
    } else {
      expect(answer.status).toBe(101);
      expect(await raw.closeFrame()).toEqual(FORBIDDEN);
      raw.reset();
    }
    await expectNobody(app(), behind);
    await expectNobody(app(), behind);
  });

  test("goes on after a middleware throws a value that is no Error", async () => {
    const own = await ownServer(runtime.app);
    const raw = await openTcp(own.port);
    raw.write(handshake({ path: "/behind/throw-words-after/ws?name=words" }));
    if (thrownNonErrorEndsServer !== undefined) {
      const isOver = (): Promise<boolean> =>
        openTcp(own.port).then(
          (one) => {
            one.reset();
            return false;
          },
          () => true,
        );
      await until(isOver, "the end of the server");
      return;
    }
    expect((await raw.answer()).status).toBe(500);
    raw.reset();
    await expectNobody(own, "nobody");
  });
});

describe.each(runtimes)("an app around the relay on $name", (runtime) => {
  const app = sharedApp(runtime);

  test.each([
    ["nothing", { Upgrade: undefined, Connection: undefined }],
    ["Upgrade: h2c", { Upgrade: "h2c", Connection: "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAA" }],
    ["Upgrade: websocket", {}],
  ])("streams to a client whose request has %s, and stops when it leaves", async (what, headers) => {
    const name = what.replace(/\W+/g, "-");
    const raw = await openTcp(app().port);
    raw.write(handshake({ path: `/events?name=${name}`, headers }));
    const answer = await raw.answer();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    raw.reset();
    await app().process.log.find((line) => line.message === "left the events" && line.id === name, "the stream's end");
  });

  test.each(["h2c", "websocket"])("receives the body of a POST with Upgrade: %s", async (protocol) => {
    const raw = await openTcp(app().port);
    raw.write(handshake({ method: "POST", path: "/length", headers: { Upgrade: protocol, "Content-Length": "10" } }));
    raw.write("0123456789");
    const answer = await raw.answer();
    if (runtime.exceptions.refusesMethodItself !== undefined) {
      expect(answer.status).toBe(400);
    } else {
      expect(answer.status).toBe(200);
      expect(await raw.body(answer)).toBe("10");
    }
    raw.reset();
  });

  test("reports a failing hook on the console where the relay has no observer", async () => {
    const one = await openJson(`ws://127.0.0.1:${app().port}/unobserved/ws`);
    one.send({ type: "send", to: one.id, data: "hello" });
    expect(await one.next()).toMatchObject({ data: "hello" });
    await expect.poll(() => app().process.stderr).toContain("the hook of an app that observes nothing");
    await one.close();
  });
});
