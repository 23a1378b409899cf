import type { CloseCode } from "./close-codes.ts";
import type { Link } from "./link.ts";

/** Mean time between two batches, in milliseconds. Small, so that a batch needs no spreading of its own. */
const BATCH_MS = 50;

/**
 * Closes the links with the code, in even batches over the time. So the clients, which connect again at once, do not
 * all reach another relay together. The time between two batches is random, so that several relays that drain together
 * do not close in step.
 *
 * A link that still has something to send waits for a later batch.
 *
 * @param links Links to close. No further ones open meanwhile.
 * @returns A promise that resolves when each link has ended, or the time is over. Links that have something to send at
 * that time are still open.
 */
export async function drainLinks(links: Iterable<Link>, closeCode: CloseCode, drainMs: number): Promise<void> {
  let open = [...links].filter((link) => !link.hasEnded);
  const startedAt = performance.now();
  while (open.length > 0) {
    const leftMs = startedAt + drainMs - performance.now();
    const isLast = leftMs <= 0;
    const batch = open.splice(0, isLast ? open.length : Math.ceil((open.length * BATCH_MS) / leftMs));
    const busy: Link[] = [];
    for (const link of batch) {
      if (link.isSettled) link.startClosing(closeCode);
      else busy.push(link);
    }
    if (isLast) return;
    open.push(...busy);
    const pauseMs = BATCH_MS * (0.5 + Math.random());
    await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, leftMs)));
    open = open.filter((link) => !link.hasEnded);
  }
}
