import type { Frame } from "./frame.ts";
import type { Ending } from "./link.ts";

/**
 * What a relay reports as it goes, for logs and metrics. A member that is left out costs a comparison.
 * `id` is the session's, or `echo` for a connection of the echo. None of these may throw.
 */
export interface RelayObserver {
  connected?(id: string): void;
  received?(id: string, frame: Frame): void;
  sent?(id: string, frame: Frame): void;
  beat?(id: string): void;
  missed?(id: string, misses: number): void;
  /** The session has lost its connection, and may come back. */
  away?(id: string, ending: Ending): void;
  resumed?(id: string): void;
  left?(id: string, ending: Ending): void;
  failed?(id: string, error: unknown): void;
}
