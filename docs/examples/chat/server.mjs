import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { createNodeRelay } from "hono-relay/node";

/** Says who may connect, and as whom. Whoever names himself is believed here; your app asks its login, by the request's cookie. */
function authorize(request) {
  const name = new URL(request.url).searchParams.get("name");
  if (name === null) return { allow: false, status: 401, message: "Cannot connect: say who you are, with ?name=" };
  return { allow: true, id: name };
}

const app = new Hono();
const { routes, attach } = createNodeRelay({ authorize });
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
