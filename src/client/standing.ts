import { ignorable, type RelayError } from "./errors.ts";

// Rooms to join and ids to watch again in a session that could not be resumed. The latest call for a name decides:
// outcomes come in the order of the calls, and a call that waits for its outcome is repeated in the new session.

/** Adds the name once the relay has granted it. */
export function keep(names: Set<string>, name: string, outcome: Promise<unknown>): Promise<void> {
  return ignorable(
    outcome.then(() => {
      names.add(name);
    }),
  );
}

/** Takes the name out at once, and puts it back if the relay refuses. */
export function drop(names: Set<string>, name: string, outcome: Promise<unknown>): Promise<void> {
  const wasStanding = names.delete(name);
  const ended = (error?: RelayError): void => {
    // The relay has done it before, and that answer was lost with its connection.
    if (error === undefined || error.code === "not_in_room") {
      names.delete(name);
      return;
    }
    if (wasStanding) names.add(name);
    throw error;
  };
  // In one step, as in `keep`: outcomes that come in one turn are taken in their order.
  return ignorable(outcome.then(() => ended(), ended));
}
