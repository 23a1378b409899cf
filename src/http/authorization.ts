/**
 * The decision on a request for a connection: whether the client may connect, as which id, until when, and its rights.
 */
export type Authorization =
  | {
      readonly allow: true;
      /** Id of the client's session; the relay chooses one where it is absent. */
      readonly id?: string;
      /**
       * Data of the app's own, such as the user's name or a header of the request. The relay keeps it with the session;
       * hooks and `relay.session` give it back. It is not counted in the memory budget.
       */
      readonly data?: unknown;
      /** Time at which the relay closes the connection, in milliseconds since 1970; never where it is absent. */
      readonly expiresAt?: number;
      /**
       * Patterns of the rooms that the client may join and publish to, `*` for any characters; all rooms where absent.
       */
      readonly rooms?: readonly string[];
      /** Patterns of the ids that the client may send to, `*` for any characters; all ids where absent. */
      readonly to?: readonly string[];
    }
  | {
      readonly allow: false;
      readonly status: 401 | 403 | 503;
      /** The sentence that the client gets; the page in a browser can read it. */
      readonly message: string;
      /** With 401: whether the client's token was valid once, so that it may connect with a new one. */
      readonly expired?: boolean;
    };
