import type { RelayClient } from "hono-relay/client";

// What the examples of the pages use and do not declare: globals, of which `run.ts` sets the values.

/** What the clients of the examples send each other. */
export interface Said {
  readonly text: string;
}

/** Returns the app's own functions, by the names that the examples call them by. */
export function createHelpers() {
  let users = 0;
  return {
    /** Returns the name of the user that is logged in, from the request's cookie. */
    userOf: (_request: Request): string => `user-${++users}`,
    /** Gets a token from the app's server. */
    fetchToken: async (): Promise<string> => "header.payload.signature",
    /** Shows something on the page. */
    show: (..._shown: unknown[]): void => {},
  };
}

/** The globals of the examples. `relay` is connected; client `2` is too, talks to it and in the room `lobby`. */
export interface Globals extends ReturnType<typeof createHelpers> {
  readonly relay: RelayClient<Said>;
}
