import type { Context, Env } from "hono";

const UPGRADED = 101;

/**
 * Watches whether the app's middleware replaces the response to a request that was upgraded. For runtimes that upgrade
 * while the handler runs (`Bun.serve`, `Deno.serve`).
 *
 * From now on the context's response has the status 101, also when it is replaced: Deno 2.9 ends the listener of all
 * connections when an upgraded request gets another status.
 *
 * @param onRefused Called when the response is replaced by one that is no upgrade. That includes an Error that a
 * middleware throws, but no other thrown value, because Hono makes no response of those.
 */
export function watchResponse<E extends Env>(c: Context<E>, onRefused: () => void): void {
  // Hono keeps the response of a context behind this accessor.
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
