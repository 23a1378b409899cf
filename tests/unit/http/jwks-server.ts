import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { JWK } from "jose";

/** A server of public keys on a free port of the loopback, whose answer the test may change. */
export class JwksServer {
  keys: readonly JWK[] = [];
  status = 200;
  /** What to answer in place of the keys. */
  body: string | undefined;
  /** Whether it takes requests and never answers. */
  isSilent = false;
  requests = 0;
  readonly #server = createServer((_request, response) => {
    this.requests++;
    if (this.isSilent) return;
    response.writeHead(this.status, { "Content-Type": "application/json", Connection: "close" });
    response.end(this.body ?? JSON.stringify({ keys: this.keys }));
  });

  /** Resolves to the address of the keys once it listens. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const { port } = this.#server.address() as AddressInfo; // Not a string: it listens on a port.
    return `http://127.0.0.1:${port}/jwks.json`;
  }

  /** Resolves once the port is free; harmless when repeated. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
