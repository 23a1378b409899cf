import { OBSERVER_KINDS, type RelayObserver } from "./observer.ts";

type Report = (...args: unknown[]) => void;

/**
 * Makes one observer of several. Each event goes to all of them, in their order; what one throws does not keep it from
 * the others.
 */
export function combineObservers(...observers: readonly RelayObserver[]): RelayObserver {
  const combined: Record<string, Report> = {};
  for (const name of Object.keys(OBSERVER_KINDS) as (keyof RelayObserver)[]) {
    // A member that no observer has stays absent: the relay then does not make the event.
    const reports = observers.flatMap((observer) => (observer[name] as Report | undefined)?.bind(observer) ?? []);
    const [first] = reports;
    if (first !== undefined) combined[name] = reports.length === 1 ? first : callAll(reports);
  }
  return combined;
}

function callAll(reports: readonly Report[]): Report {
  return (...args) => {
    const errors: unknown[] = [];
    for (const report of reports) {
      try {
        report(...args);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  };
}
