import type { Frame } from "../protocol/frame.ts";
import { owned } from "../protocol/owned.ts";
import type { Protocol, RelayEvent } from "../protocol/protocol.ts";
import type { Session } from "../session/session.ts";
import type { Rooms } from "./rooms.ts";
import type { Watchers } from "./watchers.ts";

/** A change of an id's presence, in a room or to those who watch the id. */
export type Change = "joined" | "left" | "online" | "offline";

/** Changes of one id in one place that are announced immediately within a window. Further ones are coalesced. */
const IMMEDIATE_CHANGES = 4;

/** Presence of an id in a place: not there, there with a connection, there without one. */
type Status = "out" | "online" | "away";

const STATUS_AFTER = { joined: "online", left: "out", online: "online", offline: "away" } as const satisfies Record<
  Change,
  Status
>;

/** Recent changes of one id in one place. A place is a room, or the watchers of the id. */
interface Window {
  readonly id: string;
  /** The room; `undefined` for the watchers of the id. */
  readonly room: string | undefined;
  /** Changes in this window that were announced immediately. */
  changes: number;
  /** Status that was announced last. */
  announcedStatus: Status;
  /** Present status. */
  actualStatus: Status;
  /** End of the window, by `performance.now()`. */
  endsAt: number;
}

export interface PresenceParts {
  readonly rooms: Rooms;
  readonly watchers: Watchers;
  /** Length of a window, in milliseconds. */
  readonly windowMs: number;
  /** An id with this many open windows may join no further room. */
  readonly maxOpenWindows: number;
}

/**
 * Announces changes of presence to the members of rooms and to the watchers of ids.
 *
 * A client that joins and leaves again and again costs the others little. The first changes of an id in one place are
 * announced immediately. Later ones of the same window are announced as one net change at its end, or not at all if the
 * status is the same again. Until then, lists of members show the announced status. So a client that asked for a list
 * can apply the next announcement to it.
 */
export class Presence {
  readonly #parts: PresenceParts;
  /** Open windows, by id and room. */
  readonly #windowsById = new Map<string, Map<string | undefined, Window>>();
  /** Open windows, in the order in which they end. */
  readonly #windows = new Set<Window>();
  /** Windows whose announced status is not the present one, by room and id. */
  readonly #lagging = new Map<string, Map<string, Window>>();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #isStopped = false;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
  }

  /** Whether the session may join a room now. It may not if it has just changed in too many others. */
  allowsJoin(session: Session, room: string): boolean {
    const places = this.#windowsById.get(session.id);
    return places === undefined || places.size < this.#parts.maxOpenWindows || places.has(room);
  }

  /**
   * Announces a change of the session, which has taken effect already.
   *
   * @param room The room; `undefined` to announce it to the watchers of the session's id.
   */
  announce(session: Session, room: string | undefined, change: Change): void {
    const { id } = session;
    const window = this.#windowsById.get(id)?.get(room);
    const status = STATUS_AFTER[change];
    if (window === undefined) {
      if (this.#send(id, room, change) && !this.#isStopped) this.#openWindow(id, room, status);
      return;
    }
    window.actualStatus = status;
    if (window.changes >= IMMEDIATE_CHANGES && !this.#isStopped) {
      this.#updateLagging(window);
      return;
    }
    window.changes++;
    this.#announcePending(window);
  }

  /** Returns the ids of a room's members in order of joining, as they were announced to the other members. */
  members(room: string, asker: Session): string[] {
    const members = this.#parts.rooms.members(room);
    const lagging = this.#lagging.get(room);
    if (lagging === undefined) return Array.from(members, ({ id }) => id);
    const ids: string[] = [];
    for (const { id } of members) if (id === asker.id || lagging.get(id)?.announcedStatus !== "out") ids.push(id);
    for (const { id, actualStatus } of lagging.values()) if (actualStatus === "out") ids.push(id);
    return ids;
  }

  /** Whether the id was last announced to its watchers as online; `undefined` if nothing was announced lately. */
  isAnnouncedOnline(id: string): boolean | undefined {
    const window = this.#windowsById.get(id)?.get(undefined);
    return window && window.announcedStatus === "online";
  }

  /** Announces what is pending for an id and closes its windows, as the id is never given again. */
  forget(id: string): void {
    for (const window of [...(this.#windowsById.get(id)?.values() ?? [])]) {
      this.#announcePending(window);
      this.#closeWindow(window);
    }
  }

  /** Stops the timer. Later changes are announced immediately. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #openWindow(id: string, place: string | undefined, status: Status): void {
    const endsAt = performance.now() + this.#parts.windowMs;
    // The name may be cut from a large frame, and would keep it in memory.
    const room = place === undefined ? undefined : owned(place);
    const window: Window = { id, room, changes: 1, announcedStatus: status, actualStatus: status, endsAt };
    const places = this.#windowsById.get(id);
    if (places === undefined) this.#windowsById.set(id, new Map([[room, window]]));
    else places.set(room, window);
    this.#windows.add(window);
    this.#timer ??= setTimeout(this.#endWindows, this.#parts.windowMs);
  }

  #closeWindow(window: Window): void {
    this.#windows.delete(window);
    const places = this.#windowsById.get(window.id);
    places?.delete(window.room);
    if (places?.size === 0) this.#windowsById.delete(window.id);
  }

  readonly #endWindows = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const window of this.#windows) {
      if (window.endsAt > now) {
        this.#timer = setTimeout(this.#endWindows, window.endsAt - now);
        return;
      }
      if (window.announcedStatus === window.actualStatus) {
        this.#closeWindow(window);
        continue;
      }
      window.changes = 1;
      window.endsAt = now + this.#parts.windowMs;
      this.#windows.delete(window);
      this.#windows.add(window);
      this.#announcePending(window);
    }
  };

  /** Adds the window to the lagging ones or removes it, depending on whether its present status was announced. */
  #updateLagging(window: Window): void {
    const { id, room, announcedStatus, actualStatus } = window;
    if (room === undefined) return;
    const lagging = this.#lagging.get(room);
    if (announcedStatus !== actualStatus) {
      if (lagging === undefined) this.#lagging.set(room, new Map([[id, window]]));
      else lagging.set(id, window);
    } else if (lagging?.delete(id) && lagging.size === 0) {
      this.#lagging.delete(room);
    }
  }

  /** Announces the net change from the announced status to the present one, if they differ. */
  #announcePending(window: Window): void {
    const { id, room, announcedStatus, actualStatus } = window;
    window.announcedStatus = actualStatus;
    this.#updateLagging(window);
    if (announcedStatus === actualStatus) return;
    if (announcedStatus === "out") this.#send(id, room, "joined");
    if (actualStatus === "out") this.#send(id, room, "left");
    else if (actualStatus === "away") this.#send(id, room, "offline");
    else if (announcedStatus === "away") this.#send(id, room, "online");
  }

  /** Sends the change to everybody in the place except the id itself. @returns Whether there was anybody else. */
  #send(id: string, room: string | undefined, event: Change): boolean {
    const audience = room === undefined ? this.#parts.watchers.of(id) : this.#parts.rooms.members(room);
    const news: RelayEvent = { type: "presence", id, room, event };
    const frames = new Map<Protocol, Frame>();
    let hasAudience = false;
    for (const listener of audience) {
      if (listener.id === id) continue;
      hasAudience = true;
      const frame = frames.get(listener.protocol) ?? listener.protocol.encode(news);
      if (frame === undefined) continue;
      if (audience.size > 2) frame.share();
      frames.set(listener.protocol, frame);
      listener.tell(news, frame);
    }
    return hasAudience;
  }
}
