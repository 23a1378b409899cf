import { ignorable, type RelayError } from "./errors.ts";

// Subscriptions are the rooms that the client joins, and the ids that it watches, again in a new session. The latest
// call for a name decides: outcomes come in the order of the calls, and a call without an outcome yet is repeated in a
// new session.

/** Adds the name when the relay has accepted the request. */
export function subscribe(names: Set<string>, name: string, outcome: Promise<unknown>): Promise<void> {
  return ignorable(
    outcome.then(() => {
      names.add(name);
    }),
  );
}

/** Removes the name at once, and adds it again if the relay refuses the request. */
export function unsubscribe(names: Set<string>, name: string, outcome: Promise<unknown>): Promise<void> {
  const wasSubscribed = names.delete(name);
  const onOutcome = (error?: RelayError): void => {
    // `not_in_room`: the relay took the client out before, and the answer was lost with its connection.
    if (!error || error.code === "not_in_room") {
      names.delete(name);
      return;
    }
    if (wasSubscribed) names.add(name);
    throw error;
  };
  // A single `then`, as in `subscribe`, so that outcomes of the same turn are handled in their order.
  return ignorable(outcome.then(() => onOutcome(), onOutcome));
}
