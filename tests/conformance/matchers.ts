import { expect } from "vitest";
import type { Client } from "./client.ts";

declare module "vitest" {
  // Declaration merging needs the type parameters of Vitest's own interface.
  interface Matchers<T> {
    /**
     * Passes where the client receives nothing before a marker that it sends to itself now. A message that must not
     * arrive has to have passed the relay by then: wait for a later event first.
     */
    toStaySilent(): Promise<void>;
  }
}

expect.extend({
  async toStaySilent(client: Client) {
    return {
      pass: await client.receivedNothing(),
      message: () => `Client ${client.id} received a frame that it should not have`,
    };
  },
});
