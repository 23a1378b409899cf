/**
 * The newest and the oldest versions of the packages that an app shares with the relay. The newest are written down, so
 * that a version published tomorrow cannot fail the tests of today.
 */
export const NEWEST = { hono: "4.13.19", "@hono/node-server": "1.19.19", ws: "8.23.0" } as const;
export const OLDEST = { hono: "4.8.0", "@hono/node-server": "1.19.11", ws: "8.19.0" } as const;
