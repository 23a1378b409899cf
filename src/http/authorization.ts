/** Who may connect, and as whom. */
export type Authorization =
  | {
      readonly allow: true;
      readonly id?: string;
      /** Milliseconds since 1970 from which on the client may no longer be connected; never, where it is absent. */
      readonly expiresAt?: number;
      /** Patterns of the rooms that it may join and publish to, `*` for any characters; every room, where they are absent. */
      readonly rooms?: readonly string[];
      /** Patterns of the ids that it may send to, `*` for any characters; every id, where they are absent. */
      readonly to?: readonly string[];
    }
  | {
      readonly allow: false;
      readonly status: 401 | 403 | 503;
      /** The sentence that the client is told; a browser's page can read it. */
      readonly message: string;
      /** Whether the client showed a token that was good once: with 401, a new one is worth another attempt. */
      readonly expired?: boolean;
    };
