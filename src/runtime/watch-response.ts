import type { Context, Env } from "hono";

const UPGRADED = 101;

/**
 * Watches what becomes of the response of a handler that has upgraded its request, on its way back through the app's middleware: for runtimes
 * that upgrade while the handler runs (`Bun.serve`, `Deno.serve`).
 *
 * From now on the context's response has the status 101, whatever it is replaced with: Deno 2.9 ends the listener for all when a request was
 * upgraded and is answered otherwise.
 *
 * @param onRefused Called when the response is replaced by one that is no upgrade, also for an Error that a middleware throws. Not for what
 * else one may throw: Hono lets that pass by the context.
 */
export function watchResponse<E extends Env>(c: Context<E>, onRefused: () => void): void {
  // Where Hono has the response of each context.
  const accessor = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(c), "res");
  Object.defineProperty(c, "res", {
    get(): Response {
      const response: Response = accessor?.get?.call(c);
      return response.status === UPGRADED ? response : asUpgrade(response);
    },
    set(response: Response | undefined) {
      accessor?.set?.call(c, response);
      if (response !== undefined && response.status !== UPGRADED) onRefused();
    },
  });
}

function asUpgrade({ headers }: Response): Response {
  const kept = [...headers].filter(([name]) => !name.startsWith("content-"));
  return new Response(null, { status: UPGRADED, headers: kept });
}
