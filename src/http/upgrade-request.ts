import type { Context, Env } from "hono";
import type { Open, Runtime } from "./runtime.ts";

/**
 * A request for a connection, as the checks of the relay see it. It comes from a Hono context, or straight from a
 * runtime (`DirectUpgrade`).
 */
export interface UpgradeRequest {
  readonly method: string;
  readonly path: string;
  /** Returns the value of the header, whose name is in lower case. */
  header(name: string): string | undefined;
  /** Returns the first value of the query parameter, decoded. */
  query(name: string): string | undefined;
  /** Returns the address at the other end of the request's socket; `undefined` where the runtime does not know it. */
  peerAddress(): string | undefined;
  /** Returns the request for the app's `authorize`. */
  toRequest(): Request;
  /** Upgrades the request to a WebSocket; see `UpgradeWebSocket`. */
  upgrade(open: Open, protocol: string | undefined, abandon: () => void): void;
}

/** The request of a Hono context. */
export class HonoUpgradeRequest<E extends Env> implements UpgradeRequest {
  readonly #c: Context<E>;
  readonly #runtime: Runtime<E>;
  /** The response that the route returns for an upgrade; `undefined` without one. */
  response: Response | undefined = undefined;

  constructor(c: Context<E>, runtime: Runtime<E>) {
    this.#c = c;
    this.#runtime = runtime;
  }

  get method(): string {
    return this.#c.req.method;
  }

  get path(): string {
    return this.#c.req.path;
  }

  header(name: string): string | undefined {
    return this.#c.req.header(name);
  }

  query(name: string): string | undefined {
    return this.#c.req.query(name);
  }

  peerAddress(): string | undefined {
    return this.#runtime.peerAddress(this.#c);
  }

  toRequest(): Request {
    return this.#c.req.raw;
  }

  upgrade(open: Open, protocol: string | undefined, abandon: () => void): void {
    this.response = this.#runtime.upgradeWebSocket(this.#c, open, protocol, abandon);
  }
}
