/** Rooms and ids that a session may use, as patterns in which `*` stands for any characters. */
export interface Grant {
  /** Rooms that the session may join and publish in. Default: all. */
  readonly rooms?: readonly string[] | undefined;
  /** Ids that the session may send to. Default: all. */
  readonly to?: readonly string[] | undefined;
}

/** Decision of the app about a client, for one connection: its rights, when they end, and data of the app's own. */
export interface Lease {
  /** Rooms and ids that the client may use. Default: all. */
  readonly grant?: Grant | undefined;
  /** Time until the connection closes and the client must connect with a new token, in milliseconds. Default: never. */
  readonly expiresInMs?: number | undefined;
  /** Data that the app keeps with the session, as returned by `authorize`. */
  readonly data?: unknown;
}

/** Whether one of the patterns matches the name. Without patterns, every name is granted. */
export function isGranted(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns === undefined || patterns.some((pattern) => matches(pattern, name));
}

/** Goes back only to the latest `*`, so the time is at most the pattern's length times the name's, for any pattern. */
function matches(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let starAt = 0;
  let next = 0;
  while (at < name.length) {
    if (pattern[next] === "*") {
      star = next++;
      starAt = at;
    } else if (pattern[next] === name[at]) {
      next++;
      at++;
    } else if (star >= 0) {
      next = star + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (pattern[next] === "*") next++;
  return next === pattern.length;
}
