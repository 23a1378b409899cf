import type { Ending } from "../link/ending.ts";
import type { LinkContext } from "../link/link.ts";
import type { Command } from "../protocol/protocol.ts";
import type { CatchUps } from "./catch-up.ts";
import type { RelayObserver } from "./observer.ts";
import type { Session } from "./session.ts";

/** Carries out the commands of clients. */
export interface CommandRouter {
  /** Carries out the command and sends its outcome to the client. */
  route(sender: Session, command: Command): void;
  /** Returns the number of frames that the command counts as against its sender's rate. */
  weigh(sender: Session, command: Command): number;
}

/** What all sessions of a relay share. */
export interface SessionContext {
  readonly links: LinkContext;
  readonly catchUps: CatchUps;
  /** Time that a session may be without a connection, in milliseconds. */
  readonly resumeMs: number;
  readonly observer: RelayObserver;
  readonly router: CommandRouter;
  /** Called at least once a beat while the session has a connection. */
  onBeat(session: Session): void;
  /** The session lost its connection, and may be resumed. */
  onAway(session: Session, ending: Ending): void;
  /** Called once, when the session ends; its id becomes free. */
  onEnd(session: Session, ending: Ending): void;
}
