import fc from "fast-check";

/** The part of JSON Schema that the OpenAPI document uses. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** Makes values that fit a schema of the document. */
export function arbitraryOf(schema: JsonSchema, document: object): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return arbitraryOf(resolve(schema.$ref, document), document);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "string": {
      const { pattern, maxLength = 50 } = schema;
      return pattern === undefined ? fc.string({ maxLength }) : fc.stringMatching(new RegExp(pattern));
    }
    case "integer":
    case "number":
      return fc.integer({ min: schema.minimum ?? -100, max: schema.maximum ?? 10_000 });
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(arbitraryOf(schema.items ?? {}, document), { maxLength: Math.min(schema.maxItems ?? 10, 10) });
    case "object": {
      const fields = Object.entries(schema.properties ?? {});
      const requiredKeys = [...(schema.required ?? [])];
      return fc.record(Object.fromEntries(fields.map(([name, part]) => [name, arbitraryOf(part, document)])), {
        requiredKeys,
      });
    }
    default:
      return fc.jsonValue();
  }
}

function resolve(reference: string, document: object): JsonSchema {
  const parts = reference.replace("#/", "").split("/");
  return parts.reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], document) as JsonSchema;
}
