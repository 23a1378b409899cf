import { checkOptions, type OptionKinds } from "./check-options.ts";
import type { AwaySessions } from "./directory/away-sessions.ts";
import type { Registry } from "./directory/registry.ts";
import type { Rooms } from "./directory/rooms.ts";
import { fanOut } from "./fan-out.ts";
import { allowsResume, CLOSE_CODES, type CloseCode } from "./link/close-codes.ts";
import type { Links } from "./link/links.ts";
import type { Membership } from "./membership.ts";
import { badId, noSuchId, noSuchSession, overMessageLimit, type SendError } from "./protocol/errors.ts";
import { byteLength, isLongerThan } from "./protocol/frame.ts";
import { isId } from "./protocol/id.ts";
import { Message } from "./protocol/message.ts";
import { failed, type Outcome, type ProtocolName } from "./protocol/protocol.ts";
import type {
  CommandResult,
  Counts,
  DisconnectOptions,
  Failed,
  Holdings,
  PageQuery,
  PublishOptions,
  PublishResult,
  RelayStats,
  RoomPage,
  RoomQuery,
  SendResult,
  ServerApi,
  SessionDetails,
  SessionPage,
  SessionQuery,
} from "./server-api.ts";
import { type CloseCounts, MessageCounts } from "./session/counters.ts";
import type { Session } from "./session/session.ts";
import { sessionInfo } from "./session-info.ts";

export interface ServerParts {
  readonly registry: Registry;
  readonly rooms: Rooms;
  readonly membership: Membership;
  readonly away: AwaySessions;
  readonly links: Links;
  /** Counts of the clients, by protocol. */
  readonly counts: ReadonlyMap<ProtocolName, MessageCounts>;
  readonly closes: CloseCounts;
  /** Returns the relay's uptime at a time by `performance.now()`, in milliseconds. */
  uptimeOf(time: number): number;
  holdings(): Holdings;
}

const MAX_PAGE = 1000;
const DEFAULT_PAGE = 100;
const MAX_REASON_BYTES = 123;
const CURSOR = /^\d{1,15}$/;

const PAGE_KINDS = { prefix: "string", limit: "number", cursor: "string" } as const satisfies OptionKinds;
const SESSION_KINDS = { ...PAGE_KINDS, room: "string" } as const satisfies OptionKinds;
const DISCONNECT_KINDS = { code: "number", reason: "string", final: "boolean" } as const satisfies OptionKinds;

/** Carries out the commands of the server's code: of the app around the relay, and of what is made of the same API. */
export class ServerCommands implements ServerApi {
  readonly #parts: ServerParts;
  readonly #counts = new MessageCounts();
  readonly #refusals = new Map<string, number>();

  constructor(parts: ServerParts) {
    this.#parts = parts;
  }

  /** Counts a handshake that was refused. @param code One of the codes of refusals. */
  countRefusal(code: string): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
  }

  async send(id: string, data: unknown): Promise<SendResult> {
    requireText("send", { id });
    const message = Message.of(data);
    await afterThisCall();
    const outcome = this.#send(id, message);
    this.#count(message, outcome);
    return outcome.outcome === "failed" ? failure(outcome.error) : (outcome as SendResult);
  }

  async publish(room: string, data: unknown, options: PublishOptions = {}): Promise<PublishResult> {
    requireText("publish", { room });
    const except = readExcept(options);
    const message = Message.of(data);
    await afterThisCall();
    const outcome = this.#publish(room, message, except);
    this.#count(message, outcome);
    return outcome.outcome === "failed" ? failure(outcome.error) : (outcome as PublishResult);
  }

  async sessions(query: SessionQuery = {}): Promise<SessionPage> {
    checkOptions("Cannot list sessions", query, SESSION_KINDS);
    const { room } = query;
    const bounds = readPage("Cannot list sessions", query);
    await afterThisCall();
    const { registry, rooms } = this.#parts;
    // Members are in order of joining.
    const all =
      room === undefined ? registry : [...rooms.members(room)].sort((one, other) => one.serial - other.serial);
    const { entries, cursor } = pageOf(all, bounds, ({ id }) => id);
    return { sessions: entries.map((session) => this.#describe(session)), ...cursor };
  }

  async session(id: string): Promise<SessionDetails | undefined> {
    requireText("find a session", { id });
    await afterThisCall();
    const session = this.#parts.registry.find(id);
    return session && this.#describe(session);
  }

  async rooms(query: RoomQuery = {}): Promise<RoomPage> {
    checkOptions("Cannot list rooms", query, PAGE_KINDS);
    const bounds = readPage("Cannot list rooms", query);
    await afterThisCall();
    const { entries, cursor } = pageOf(this.#parts.rooms, bounds, ({ name }) => name);
    return { rooms: entries.map(({ name, members }) => ({ room: name, members: members.size })), ...cursor };
  }

  async members(room: string): Promise<readonly string[]> {
    requireText("list members", { room });
    await afterThisCall();
    return Array.from(this.#parts.rooms.members(room), ({ id }) => id);
  }

  async join(id: string, room: string): Promise<CommandResult> {
    requireText("join", { id, room });
    await afterThisCall();
    return this.#change(id, room, (session) => this.#parts.membership.joinForServer(session, room));
  }

  async leave(id: string, room: string): Promise<CommandResult> {
    requireText("leave", { id, room });
    await afterThisCall();
    return this.#change(id, room, (session) => this.#parts.membership.leaveForServer(session, room));
  }

  async disconnect(id: string, options: DisconnectOptions = {}): Promise<CommandResult> {
    requireText("disconnect", { id });
    checkOptions("Cannot disconnect", options, DISCONNECT_KINDS);
    const closeCode = readCloseCode(options);
    await afterThisCall();
    return this.#change(id, undefined, (session) => {
      if (closeCode.reconnect) session.disconnect(closeCode);
      else session.close(closeCode);
      return { outcome: "done" };
    });
  }

  async stats(): Promise<RelayStats> {
    await afterThisCall();
    const { registry, away, links, counts, closes, uptimeOf, holdings } = this.#parts;
    const sessions = fromNames(counts.keys(), () => 0);
    for (const { protocol } of registry) sessions[protocol.name ?? "plain"]++;
    return {
      uptimeMs: Math.round(uptimeOf(performance.now())),
      holdings: holdings(),
      away: away.size,
      sessions,
      limits: { ...links.limits },
      messages: {
        ...fromNames(counts.keys(), (name) => copyCounts(counts.get(name) ?? this.#counts)),
        server: copyCounts(this.#counts),
      },
      closes: closes.toRecord(),
      refusals: Object.fromEntries(this.#refusals),
    };
  }

  #send(id: string, message: Message): Outcome {
    const { registry, links } = this.#parts;
    const receiver = registry.find(id);
    if (receiver === undefined) return failed(isId(id) ? noSuchId(id, registry.mayReturn(id)) : badId(id));
    const { maxMessageBytes } = links.limits;
    if (isLongerThan(message.payload, maxMessageBytes)) return failed(overMessageLimit(id, maxMessageBytes));
    const delivery = receiver.deliver(receiver.protocol.encodeMessage(undefined, undefined, message));
    return typeof delivery === "string" ? { outcome: delivery } : failed(delivery);
  }

  #publish(room: string, message: Message, except: ReadonlySet<string>): Outcome {
    const { rooms, links } = this.#parts;
    if (!isId(room)) return failed(badId(room));
    const { maxMessageBytes } = links.limits;
    if (isLongerThan(message.payload, maxMessageBytes)) return failed(overMessageLimit(room, maxMessageBytes));
    const recipients = fanOut(rooms.members(room), undefined, room, message, ({ id }) => except.has(id));
    return { outcome: "delivered", recipients };
  }

  #count({ payload }: Message, outcome: Outcome): void {
    this.#counts.receivedBytes += payload.length;
    this.#counts.count(outcome);
  }

  /** Runs a command on the session with the id. */
  #change(id: string, room: string | undefined, run: (session: Session) => Outcome): CommandResult {
    const { registry } = this.#parts;
    for (const name of room === undefined ? [id] : [id, room]) if (!isId(name)) return failure(badId(name));
    const session = registry.find(id);
    if (session === undefined) return failure(noSuchSession(id, registry.mayReturn(id)));
    const outcome = run(session);
    return outcome.outcome === "failed" ? failure(outcome.error) : { outcome: "done" };
  }

  #describe(session: Session): SessionDetails {
    const { away, uptimeOf } = this.#parts;
    const awaySince = away.since(session);
    const madeAt = Date.now() - uptimeOf(performance.now());
    return {
      ...sessionInfo(session),
      since: Math.round(madeAt + session.beganAtMs),
      state: session.isOnline ? "online" : "away",
      stateSince: Math.round(madeAt + (awaySince === undefined ? session.onlineSinceMs : uptimeOf(awaySince))),
      rooms: [...session.roomNames],
      watches: [...session.watchedIds].length,
      mailboxMessages: session.waitingMessages,
      mailboxBytes: session.mailbox?.bytes ?? 0,
      sendBufferBytes: session.sendBufferBytes,
      misses: session.misses,
    };
  }
}

/** Resolves when the code that is running now has returned. It may be a hook, in the middle of the relay's work. */
function afterThisCall(): Promise<void> {
  return Promise.resolve();
}

function failure({ code, message, temporary }: SendError): Failed {
  return { outcome: "failed", error: { code, message, temporary } };
}

/** @throws {TypeError} When one of the arguments is not a string. */
function requireText(action: string, texts: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(texts)) {
    if (typeof value !== "string") throw new TypeError(`Cannot ${action}: ${name} is no string but ${typeof value}`);
  }
}

/** @throws {TypeError} When an option does not exist, or is neither a string nor an array of strings. */
function readExcept(options: PublishOptions): ReadonlySet<string> {
  const { except = [], ...others } = options;
  checkOptions("Cannot publish", others, {});
  const ids: readonly unknown[] = typeof except === "string" ? [except] : except;
  if (Array.isArray(ids) && ids.every((id) => typeof id === "string")) return new Set(ids);
  throw new TypeError("Cannot publish: except is neither an id nor an array of ids");
}

/** Bounds of a page. */
interface Bounds {
  readonly prefix: string;
  readonly limit: number;
  /** Serial number after which the page begins. */
  readonly after: number;
}

/** @throws {RangeError} When the limit is outside its range, or the cursor is not one that a page had. */
function readPage(action: string, { prefix = "", limit = DEFAULT_PAGE, cursor = "0" }: PageQuery): Bounds {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw new RangeError(`${action}: limit is ${limit}, expected 1 to ${MAX_PAGE}`);
  }
  if (!CURSOR.test(cursor)) throw new RangeError(`${action}: cursor is not one of a page: ${JSON.stringify(cursor)}`);
  return { prefix, limit, after: Number(cursor) };
}

/** @param entries Entries in the order of their serial numbers. */
function pageOf<Entry extends { readonly serial: number }>(
  entries: Iterable<Entry>,
  { prefix, limit, after }: Bounds,
  nameOf: (entry: Entry) => string,
): { readonly entries: readonly Entry[]; readonly cursor: { readonly cursor?: string } } {
  const page: Entry[] = [];
  for (const entry of entries) {
    if (entry.serial <= after || !nameOf(entry).startsWith(prefix)) continue;
    if (page.length === limit) return { entries: page, cursor: { cursor: String(page.at(-1)?.serial) } };
    page.push(entry);
  }
  return { entries: page, cursor: {} };
}

/** @throws {RangeError} When the code cannot be sent, contradicts `final`, or the reason is too long. */
function readCloseCode({ final, code, reason }: DisconnectOptions): CloseCode {
  const standard =
    (final ?? (code === undefined || !allowsResume(code))) ? CLOSE_CODES.removed : CLOSE_CODES.disconnected;
  const closeCode = { code: code ?? standard.code, reason: reason ?? (code === undefined ? standard.reason : "") };
  const isSendable = closeCode.code === 1000 || (closeCode.code >= 3000 && closeCode.code <= 4999);
  if (!isSendable || !Number.isInteger(closeCode.code)) {
    throw new RangeError(`Cannot disconnect: code is ${code}, expected 1000 or 3000 to 4999`);
  }
  const keepsSession = allowsResume(closeCode.code);
  if (final !== undefined && final === keepsSession) {
    const effect = keepsSession ? "keeps the session" : "ends the session";
    throw new RangeError(`Cannot disconnect: code ${code} ${effect}, but final is ${final}`);
  }
  const bytes = byteLength(closeCode.reason);
  if (bytes > MAX_REASON_BYTES) {
    throw new RangeError(`Cannot disconnect: reason has ${bytes} bytes, at most ${MAX_REASON_BYTES} fit`);
  }
  return { ...closeCode, reconnect: keepsSession };
}

function fromNames<Name extends string, Value>(
  names: Iterable<Name>,
  read: (name: Name) => Value,
): Record<Name, Value> {
  return Object.fromEntries(Array.from(names, (name) => [name, read(name)])) as Record<Name, Value>; // One for each.
}

function copyCounts(counts: MessageCounts): Counts {
  return { ...counts, failed: { ...counts.failed } };
}
