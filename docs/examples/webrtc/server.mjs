import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { createNodeRelay } from "hono-relay/node";

const app = new Hono();
const { routes, attach } = createNodeRelay();
app.route("/relay", routes);

// The page, and the client library, which a browser loads as it is: /client/index.js.
const library = new URL("..", import.meta.resolve("hono-relay/client"));
app.use("/client/*", serveStatic({ root: fileURLToPath(library) }));
app.use(serveStatic({ root: fileURLToPath(new URL("page", import.meta.url)) }));

const hostname = process.env.HOST ?? "127.0.0.1";
const server = serve({ fetch: app.fetch, hostname, port: Number(process.env.PORT ?? 3000) }, ({ port }) =>
  console.log(`listening on http://${hostname}:${port}`),
);
attach(server, app);
