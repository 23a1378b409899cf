import { createServer } from "node:http";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { createNodeRelay } from "../../../../src/runtime/node/relay.ts";

function mounted() {
  const relay = createNodeRelay();
  return { relay, app: new Hono().route("/relay", relay.routes) };
}

describe("attach", () => {
  test("a second time to the same server is an error", () => {
    const { relay, app } = mounted();
    const server = createServer();
    relay.attach(server, app);
    expect(() => relay.attach(server, app)).toThrow("Cannot attach the relay: it is attached to this server already");
  });

  test("takes more than one server, such as one for http and one for https", () => {
    const { relay, app } = mounted();
    relay.attach(createServer(), app);
    expect(() => relay.attach(createServer(), app)).not.toThrow();
  });

  test("with an app that the routes are not mounted in is an error that says how they are", () => {
    const { relay } = mounted();
    const server = createServer();
    const attach = () => relay.attach(server, mounted().app);
    expect(attach).toThrow(TypeError);
    expect(attach).toThrow('app.route("/relay", routes)');
    // It was not attached: a good app may follow.
    relay.attach(server, new Hono().route("/", relay.routes));
  });

  test("finds the routes behind apps with an error handler of their own, and behind a base path", () => {
    const { relay } = mounted();
    const inner = new Hono().route("/a", relay.routes).onError((_error, c) => c.text("inner", 500));
    const outer = new Hono().basePath("/b").route("/c", inner);
    expect(() => relay.attach(createServer(), outer)).not.toThrow();
  });

  test("takes no other handler for the routes, whatever properties it has", () => {
    const { relay } = mounted();
    const handler = Object.assign(() => new Response(), { own: {} as unknown });
    handler.own = handler;
    const attach = () => relay.attach(createServer(), new Hono().get("/relay/ws", handler));
    expect(attach).toThrow(TypeError);
  });
});
