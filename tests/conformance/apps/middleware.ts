import { type Env, Hono, type MiddlewareHandler } from "hono";
import { compress } from "hono/compress";
import { setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { logger } from "hono/logger";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { timeout } from "hono/timeout";
import { timing } from "hono/timing";

/** Middleware, by the name under which the relay is mounted behind it. */
const MIDDLEWARE: Readonly<Record<string, MiddlewareHandler>> = {
  compress: compress(),
  cors: cors(),
  etag: etag(),
  logger: logger(() => {}),
  "request-id": requestId(),
  "secure-headers": secureHeaders(),
  timeout: timeout(5000),
  timing: timing(),
  "set-before": async (c, next) => {
    setCookie(c, "one", "1");
    setCookie(c, "two", "2");
    c.header("X-Before", "yes");
    await next();
  },
  "set-after": async (c, next) => {
    await next();
    await Promise.resolve();
    c.header("X-After", "yes");
    c.header("Content-Length", "7");
    c.res.headers.append("Set-Cookie", "late=1");
  },
  clone: async (c, next) => {
    await next();
    c.res = new Response(c.res.body, c.res);
  },
  "refuse-before": async (c) => c.text("not you", 403),
  "refuse-after": async (c, next) => {
    await next();
    c.res = c.text("not you", 403);
  },
  "replace-after": async (c, next) => {
    await next();
    c.res = undefined;
    c.res = c.json({ not: "you" });
  },
  "refuse-late": async (c, next) => {
    await next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    c.res = c.text("not you", 403);
  },
  "throw-after": async (_c, next) => {
    await next();
    throw new Error("a secret defect");
  },
  "throw-words-after": async (_c, next) => {
    await next();
    throw "a secret defect";
  },
};

/** Mounts the relay's routes behind each middleware, as /behind/<name>. */
export function mountBehindMiddleware<E extends Env>(app: Hono, routes: Hono<E>): void {
  for (const [name, middleware] of Object.entries(MIDDLEWARE)) {
    const outer = new Hono();
    outer.use(middleware);
    outer.route("/", routes);
    app.route(`/behind/${name}`, outer);
  }
}
