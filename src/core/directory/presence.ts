import type { Frame } from "../protocol/frame.ts";
import { owned } from "../protocol/owned.ts";
import type { Protocol, RelayEvent } from "../protocol/protocol.ts";
import type { Session } from "../session/session.ts";
import type { Rooms } from "./rooms.ts";
import type { Watchers } from "./watchers.ts";

/** A change in presence: of a member of a room, or of an id that is watched. */
export type Change = "joined" | "left" | "online" | "offline";

/** Changes of one id in one place that are told at once within a window. */
const CHANGES_AT_ONCE = 4;

/** How an id stands in a place. */
type Standing = "out" | "online" | "away";

const STANDING_AFTER = { joined: "online", left: "out", online: "online", offline: "away" } as const satisfies Record<
  Change,
  Standing
>;

/** What was told of one id in one place lately. */
interface Window {
  readonly id: string;
  /** The room; absent where the id itself is watched. */
  readonly room: string | undefined;
  changes: number;
  told: Standing;
  actual: Standing;
  /** By `performance.now()`. */
  endsAt: number;
}

export interface PresenceParts {
  readonly rooms: Rooms;
  readonly watchers: Watchers;
  /** Length of a window, in milliseconds. */
  readonly windowMs: number;
  /** Places in which one id may have changed lately before it may join no further room. */
  readonly maxPlaces: number;
}

/**
 * Tells the members of rooms, and those who watch an id, who comes and goes.
 *
 * A client that joins and leaves again and again costs them little: the first changes of an id in one place are told at
 * once, later ones of the same window as one net change at its end, or not at all where nothing has changed. Until then
 * lists of members say what was told, so that whoever asks in between is right as well after the next change.
 */
export class Presence {
  readonly #parts: PresenceParts;
  /** Open windows by id and place. */
  readonly #places = new Map<string, Map<string | undefined, Window>>();
  /** The same in the order in which they end. */
  readonly #windows = new Set<Window>();
  /** Windows of which the latest change was not told, by room and id. */
  readonly #lagging = new Map<string, Map<string, Window>>();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #isStopped = false;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
  }

  /** Whether the session may join a room now: not where it has just changed in too many others. */
  allowsJoin(session: Session, room: string): boolean {
    const places = this.#places.get(session.id);
    return places === undefined || places.size < this.#parts.maxPlaces || places.has(room);
  }

  /** A session has come or gone, after the fact; others are told. `room` is absent where its id itself is watched. */
  change(session: Session, room: string | undefined, change: Change): void {
    const { id } = session;
    const window = this.#places.get(id)?.get(room);
    const standing = STANDING_AFTER[change];
    if (window === undefined) {
      if (this.#tell(id, room, change) && !this.#isStopped) this.#open(id, room, standing);
      return;
    }
    window.actual = standing;
    if (window.changes >= CHANGES_AT_ONCE && !this.#isStopped) {
      this.#mark(window);
      return;
    }
    window.changes++;
    this.#catchUp(window);
  }

  /** The ids of a room's members in order of joining, as others were told of them. */
  members(room: string, asker: Session): string[] {
    const members = this.#parts.rooms.members(room);
    const lagging = this.#lagging.get(room);
    if (lagging === undefined) return Array.from(members, ({ id }) => id);
    const ids: string[] = [];
    for (const { id } of members) if (id === asker.id || lagging.get(id)?.told !== "out") ids.push(id);
    for (const { id, actual } of lagging.values()) if (actual === "out") ids.push(id);
    return ids;
  }

  /** Whether those who watch the id were told that it has a connection; `undefined` where nothing was told lately. */
  isToldOnline(id: string): boolean | undefined {
    const window = this.#places.get(id)?.get(undefined);
    return window && window.told === "online";
  }

  /** Tells what was not told of an id yet, and forgets what was: the id is never given again. */
  forget(id: string): void {
    for (const window of [...(this.#places.get(id)?.values() ?? [])]) {
      this.#catchUp(window);
      this.#close(window);
    }
  }

  /** Has no timer from now on: each change is told at once. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #open(id: string, place: string | undefined, standing: Standing): void {
    const endsAt = performance.now() + this.#parts.windowMs;
    // The name may have come in a large frame, which it keeps alive.
    const room = place === undefined ? undefined : owned(place);
    const window: Window = { id, room, changes: 1, told: standing, actual: standing, endsAt };
    const places = this.#places.get(id);
    if (places === undefined) this.#places.set(id, new Map([[room, window]]));
    else places.set(room, window);
    this.#windows.add(window);
    this.#timer ??= setTimeout(this.#endWindows, this.#parts.windowMs);
  }

  #close(window: Window): void {
    this.#windows.delete(window);
    const places = this.#places.get(window.id);
    places?.delete(window.room);
    if (places?.size === 0) this.#places.delete(window.id);
  }

  readonly #endWindows = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const window of this.#windows) {
      if (window.endsAt > now) {
        this.#timer = setTimeout(this.#endWindows, window.endsAt - now);
        return;
      }
      if (window.told === window.actual) {
        this.#close(window);
        continue;
      }
      window.changes = 1;
      window.endsAt = now + this.#parts.windowMs;
      this.#windows.delete(window);
      this.#windows.add(window);
      this.#catchUp(window);
    }
  };

  /** Notes that a window's latest change was not told, or that it no longer has one. */
  #mark(window: Window): void {
    const { id, room, told, actual } = window;
    if (room === undefined) return;
    const lagging = this.#lagging.get(room);
    if (told !== actual) {
      if (lagging === undefined) this.#lagging.set(room, new Map([[id, window]]));
      else lagging.set(id, window);
    } else if (lagging?.delete(id) && lagging.size === 0) {
      this.#lagging.delete(room);
    }
  }

  /** Tells the change from what was told to what is. */
  #catchUp(window: Window): void {
    const { id, room, told, actual } = window;
    window.told = actual;
    this.#mark(window);
    if (told === actual) return;
    if (told === "out") this.#tell(id, room, "joined");
    if (actual === "out") this.#tell(id, room, "left");
    else if (actual === "away") this.#tell(id, room, "offline");
    else if (told === "away") this.#tell(id, room, "online");
  }

  /** @returns Whether there was anybody to tell: the id itself is not told. */
  #tell(id: string, room: string | undefined, event: Change): boolean {
    const audience = room === undefined ? this.#parts.watchers.of(id) : this.#parts.rooms.members(room);
    const news: RelayEvent = { type: "presence", id, room, event };
    const frames = new Map<Protocol, Frame>();
    let isHeard = false;
    for (const listener of audience) {
      if (listener.id === id) continue;
      isHeard = true;
      const frame = frames.get(listener.protocol) ?? listener.protocol.encode(news);
      if (frame === undefined) continue;
      if (audience.size > 2) frame.share();
      frames.set(listener.protocol, frame);
      listener.tell(news, frame);
    }
    return isHeard;
  }
}
