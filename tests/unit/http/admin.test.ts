import fc from "fast-check";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import type { Limits } from "../../../src/core/link/limits.ts";
import { createAdminApi } from "../../../src/http/admin/admin-api.ts";
import { OPERATIONS } from "../../../src/http/admin/operations.ts";
import { problemSchema } from "../../../src/http/admin/problem.ts";
import { startJsonRelay } from "../json-client.ts";
import { arbitraryOf, type JsonSchema } from "./schema-arbitrary.ts";

const KEY = "first-key-0123456789abcdefghijklmnop";
const NEXT_KEY = "next/key+0123456789abcdefghijklmnop==";

/** Starts the API of a relay with two JSON clients: 1 is in the room lobby, 2 is not. */
function startApi(limits: Partial<Limits> = {}) {
  const { relay, turn, connectJson } = startJsonRelay({ limits });
  const one = connectJson();
  const two = connectJson();
  one.asks({ type: "join", room: "lobby" });
  const app = createAdminApi(relay, { keys: [KEY, NEXT_KEY] });
  const ask = async (method: string, path: string, body?: unknown, key = KEY): Promise<Response> => {
    const headers = { Authorization: `Bearer ${key}` };
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const withBody = method !== "GET" && body !== undefined;
    const init = withBody ? { headers: { ...headers, "Content-Type": "application/json" }, body: text } : { headers };
    const response = await app.request(path, { method, ...init });
    turn.end();
    return response;
  };
  return { relay, app, ask, one, two };
}

describe("the admin API", () => {
  test("sends a message to a session, which sees that it comes from the server", async () => {
    const { ask, two } = startApi();
    const response = await ask("POST", "/v1/sessions/2/messages", { data: { text: "hello" } });
    expect([response.status, await response.json()]).toEqual([200, { outcome: "delivered" }]);
    expect(two.all("message")).toMatchObject([{ data: { text: "hello" } }]);
    expect(two.all("message")[0]?.from).toBeUndefined();
  });

  test("sends bytes that are given in base64", async () => {
    const { ask, two } = startApi();
    await ask("POST", "/v1/sessions/2/messages", { data: "AAEC", encoding: "base64" });
    expect(two.all("message")).toMatchObject([{ encoding: "base64", data: "AAEC" }]);
    const response = await ask("POST", "/v1/sessions/2/messages", { data: "no base64!", encoding: "base64" });
    expect(response.status).toBe(400);
  });

  test("answers a command that the relay refuses with a problem and its code", async () => {
    const { ask } = startApi();
    const response = await ask("POST", "/v1/sessions/9/messages", { data: "hello" });
    expect(response.status).toBe(404);
    expect(response.headers.get("Content-Type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({
      status: 404,
      title: "Not Found",
      code: "no_such_id",
      temporary: false,
    });
    const unknown = await ask("GET", "/v1/sessions/9");
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: "no_such_id" }]);
  });

  test("publishes in a room, lists rooms and members, joins and leaves", async () => {
    const { ask } = startApi();
    expect(await (await ask("PUT", "/v1/rooms/lobby/members/2")).json()).toEqual({ outcome: "done" });
    expect(await (await ask("GET", "/v1/rooms/lobby/members")).json()).toEqual({ members: ["1", "2"] });
    expect(await (await ask("GET", "/v1/rooms")).json()).toEqual({ rooms: [{ room: "lobby", members: 2 }] });
    const published = await ask("POST", "/v1/rooms/lobby/messages", { data: "all", except: ["1"] });
    expect(await published.json()).toEqual({ outcome: "delivered", recipients: 1 });
    expect(await (await ask("DELETE", "/v1/rooms/lobby/members/2")).json()).toEqual({ outcome: "done" });
    const again = await ask("DELETE", "/v1/rooms/lobby/members/2");
    expect([again.status, await again.json()]).toMatchObject([404, { code: "not_in_room" }]);
  });

  test("lists sessions page by page, and returns one", async () => {
    const { ask } = startApi();
    const first = await (await ask("GET", "/v1/sessions?limit=1")).json();
    expect(first).toMatchObject({ sessions: [{ id: "1", protocol: "relay.v1.json", rooms: ["lobby"] }] });
    const second = await (await ask("GET", `/v1/sessions?limit=1&cursor=${encodeURIComponent(first.cursor)}`)).json();
    expect(second).toMatchObject({ sessions: [{ id: "2", state: "online" }] });
    expect(second.cursor).toBeUndefined();
    expect(await (await ask("GET", "/v1/sessions/1")).json()).toMatchObject({ id: "1" });
    const wrong = await ask("GET", "/v1/sessions?cursor=none");
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { code: "bad_request" }]);
  });

  test("disconnects a session", async () => {
    const { ask, relay, two } = startApi();
    const response = await ask("POST", "/v1/sessions/2/disconnect", { code: 4505, reason: "signed out" });
    expect(response.status).toBe(200);
    expect([two.did.at(-1), two.connection.reasons]).toEqual(["close 4505", ["signed out"]]);
    expect(relay.holdings.sessions).toBe(1);
    const wrong = await ask("POST", "/v1/sessions/1/disconnect", { code: 1005 });
    expect(wrong.status).toBe(400);
  });

  test("refuses every operation without a whole key, and opens each with any of the keys", async () => {
    const { app, ask } = startApi();
    const wrongKeys = ["", "x", KEY.slice(0, -1), `${KEY}x`, KEY.toUpperCase(), `${KEY},${NEXT_KEY}`, `${KEY} ${KEY}`];
    for (const { method, path } of OPERATIONS) {
      const url = path.replace("{id}", "1").replace("{room}", "lobby");
      const noKey = await app.request(url, { method: method.toUpperCase() });
      expect([noKey.status, noKey.headers.get("WWW-Authenticate")]).toEqual([401, expect.stringContaining("Bearer")]);
      expect(problemSchema.parse(await noKey.json()).code).toBe("unauthorized");
      for (const key of wrongKeys) expect([400, 401]).toContain((await ask(method.toUpperCase(), url, {}, key)).status);
      for (const key of [KEY, NEXT_KEY]) expect((await ask(method.toUpperCase(), url, {}, key)).status).not.toBe(401);
    }
  });

  test("has no key in a query, and none in a cookie", async () => {
    const { app } = startApi();
    expect((await app.request(`/v1/stats?token=${KEY}&access_token=${KEY}`)).status).toBe(401);
    expect((await app.request("/v1/stats", { headers: { Cookie: `Authorization=Bearer ${KEY}` } })).status).toBe(401);
  });

  test("names each wrong part of a request", async () => {
    const { ask } = startApi();
    const response = await ask("GET", "/v1/sessions?limit=0&romo=x");
    const { errors } = problemSchema.parse(await response.json());
    expect(errors?.map(({ at }) => at)).toEqual(["query.limit", "query"]);
    expect((await ask("POST", "/v1/sessions/1/messages", "{")).status).toBe(400);
    expect((await ask("POST", "/v1/sessions/1/messages", {})).status).toBe(400);
  });

  test("refuses other methods, other media types, other paths and bodies that are too large", async () => {
    const { app, ask } = startApi({ maxMessageBytes: 1000 });
    const method = await ask("PATCH", "/v1/rooms/lobby/members/1");
    expect([method.status, method.headers.get("Allow")]).toEqual([405, "PUT, DELETE"]);
    expect((await ask("GET", "/v1/nothing")).status).toBe(404);
    const headers = { Authorization: `Bearer ${KEY}`, "Content-Type": "text/plain" };
    expect((await app.request("/v1/sessions/1/messages", { method: "POST", headers, body: "{}" })).status).toBe(415);
    expect((await ask("POST", "/v1/sessions/1/messages", { data: "x".repeat(200_000) })).status).toBe(413);
    const longer = await ask("POST", "/v1/sessions/1/messages", { data: "x".repeat(1001) });
    expect([longer.status, await longer.json()]).toMatchObject([413, { code: "too_large" }]);
  });

  test("answers a value that JSON nests too deeply, and a body that is not UTF-8, with 400", async () => {
    const { app, ask } = startApi();
    const deep = `{"data":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;
    expect((await ask("POST", "/v1/sessions/1/messages", deep)).status).toBe(400);
    const headers = { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" };
    const body = new Uint8Array([0x22, 0xff, 0x22]);
    expect((await app.request("/v1/sessions/1/messages", { method: "POST", headers, body })).status).toBe(400);
  });

  test("works under a prefix, with its documents", async () => {
    const { app } = startApi();
    const outer = new Hono().route("/relay", app);
    expect((await outer.request("/relay/v1/stats", { headers: { Authorization: `Bearer ${KEY}` } })).status).toBe(200);
    expect(await (await outer.request("/relay/openapi.json")).json()).toMatchObject({ openapi: "3.1.0" });
    const page = await outer.request("/relay/v1/docs");
    expect(page.headers.get("Content-Security-Policy")).not.toContain("unsafe");
    expect(await page.text()).not.toMatch(/(src|href)="(https?:)?\/\//);
  });

  test.each([
    [[], "there is no key"],
    [["short"], "a key is not at least 32 characters"],
    [[`${KEY} with a space`], "a key is not at least 32 characters of"],
  ])("is not made with the keys %j", (keys, message) => {
    const { relay } = startJsonRelay();
    expect(() => createAdminApi(relay, { keys })).toThrow(message);
  });
});

describe("requests made from the OpenAPI document", () => {
  test("get an answer of their schema or a problem, never 500, whatever fits the document or nearly does", async () => {
    const { ask, app } = startApi();
    const document = await (await app.request("/openapi.json")).json();
    const requests = fc.oneof(...OPERATIONS.map((operation) => requestTo(document, operation.method, operation.path)));
    await fc.assert(
      fc.asyncProperty(requests, async ({ method, path, query, body, operationId }) => {
        const url = `${path}${query.size > 0 ? `?${query}` : ""}`;
        const response = await ask(method.toUpperCase(), url, body);
        expect(response.status).not.toBe(500);
        const answer = await response.json();
        const operation = OPERATIONS.find(({ name }) => name === operationId);
        (response.status === 200 ? operation?.result : problemSchema)?.parse(answer);
      }),
      { numRuns: 500 },
    );
  });
});

interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
}

interface OperationObject {
  readonly operationId: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: JsonSchema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> };
}

/** Makes requests to one operation of the document. One part in five is arbitrary. */
function requestTo(document: OpenApiDocument, method: string, path: string) {
  const operation = document.paths[path]?.[method];
  if (operation === undefined) throw new Error(`The document has no ${method} ${path}`);
  const { operationId, parameters = [], requestBody } = operation;
  const text = fc.oneof(
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
    { weight: 4, arbitrary: fc.constantFrom("1", "2", "lobby") },
  );
  const ofSchema = (schema: JsonSchema) =>
    fc.oneof({ weight: 1, arbitrary: fc.jsonValue() }, { weight: 4, arbitrary: arbitraryOf(schema, document) });
  const pathParts = Object.fromEntries(parameters.filter((each) => each.in === "path").map(({ name }) => [name, text]));
  const queryParts = Object.fromEntries(
    parameters
      .filter((each) => each.in === "query")
      .map(({ name, schema }) => [name, fc.option(ofSchema(schema), { nil: undefined })]),
  );
  const bodySchema: JsonSchema | undefined = requestBody?.content["application/json"]?.schema;
  return fc
    .record({
      pathParts: fc.record(pathParts),
      queryParts: fc.record(queryParts),
      body: bodySchema === undefined ? fc.constant(undefined) : ofSchema(bodySchema),
    })
    .map(({ pathParts, queryParts, body }) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(queryParts)) {
        if (value !== undefined) query.set(name, typeof value === "string" ? value : JSON.stringify(value));
      }
      const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(pathParts[name])));
      return { operationId, method, path: filled, query, body };
    });
}
