/** What a session may do, where that is bounded: patterns in which `*` stands for any characters. */
export interface Grant {
  /** The rooms that it may join and publish in; any where absent. */
  readonly rooms?: readonly string[] | undefined;
  /** The ids that it may send to; any where absent. */
  readonly to?: readonly string[] | undefined;
}

/** On what terms a client has its connection. */
export interface Terms {
  /** What it may do; anything where absent. */
  readonly grant?: Grant | undefined;
  /** Milliseconds until it must connect with a new token; never where absent. */
  readonly expiresInMs?: number | undefined;
}

/** Whether the name is among what the patterns stand for; without patterns any is. */
export function isGranted(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns === undefined || patterns.some((pattern) => matches(pattern, name));
}

/** Walks both once, and back to the latest `*` alone: no pattern takes longer than its length times the name's. */
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
