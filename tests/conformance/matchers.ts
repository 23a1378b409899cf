import { expect } from "vitest";
import type { Client } from "./client.ts";

declare module "vitest" {
  // Its parameters must be those of the interface that it adds to.
  interface Matchers<T> {
    /**
     * Nothing came to the client before a marker that it sends to itself now. What could have come must have passed the
     * relay by then: wait for something that follows from it first.
     */
    toStaySilent(): Promise<void>;
  }
}

expect.extend({
  async toStaySilent(client: Client) {
    return { pass: await client.nextIsOwn(), message: () => `Client ${client.id} was sent something unasked` };
  },
});
