import { createDocument as createOpenApiDocument, type ZodOpenApiPathsObject } from "zod-openapi";
import { OPERATIONS, type Operation } from "./operations.ts";
import { problemSchema } from "./problem.ts";

/** The OpenAPI document of the admin API. */
export type Document = ReturnType<typeof createOpenApiDocument>;

const DESCRIPTION = `Each operation is a call of the relay's server API. A request shows a key of RELAY_API_KEY:
Authorization: Bearer <key>. A request that fails gets a Problem, whose code says why.`;

/** Makes the OpenAPI document from the schemas against which requests are checked. */
export function createDocument(): Document {
  const paths: ZodOpenApiPathsObject = {};
  for (const operation of OPERATIONS) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: describe(operation) };
  }
  return createOpenApiDocument({
    openapi: "3.1.0",
    info: { title: "hono-relay", version: "1", description: DESCRIPTION, license: { name: "MIT", identifier: "MIT" } },
    servers: [{ url: "." }],
    security: [{ key: [] }],
    paths,
    components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
  });
}

function describe({ name, summary, pathSchema, querySchema, bodySchema, result }: Operation) {
  return {
    operationId: name,
    summary,
    requestParams: { path: pathSchema, query: querySchema },
    ...(bodySchema && { requestBody: { required: true, content: { "application/json": { schema: bodySchema } } } }),
    responses: {
      "200": { description: "Done", content: { "application/json": { schema: result } } },
      default: { description: "Failed", content: { "application/problem+json": { schema: problemSchema } } },
    },
  };
}
