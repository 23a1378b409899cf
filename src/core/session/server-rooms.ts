import type { Account } from "./account.ts";
import { Names } from "./names.ts";

/** The rooms of a session that the server chose. */
export class ServerRooms {
  /** Rooms that the server put the session into, and that it is still in. */
  readonly entered: Names;
  /** Rooms that the server took the session out of while it was away. Its client learns of them when it resumes. */
  readonly left: Names;

  constructor(account: Account) {
    this.entered = new Names(account);
    this.left = new Names(account);
  }
}
