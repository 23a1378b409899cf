import { createServer, type ServerResponse } from "node:http";
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
  /** What it sends again and again in place of an answer that ends, as fast as it is read. */
  endless: Uint8Array | undefined;
  /** Whether it sends a first byte and then nothing more. */
  isStuck = false;
  /** Bytes that it has sent of an endless answer. */
  sentBytes = 0;
  requests = 0;
  readonly #server = createServer((_request, response) => {
    this.requests++;
    if (this.isSilent) return;
    response.writeHead(this.status, { "Content-Type": "application/json", Connection: "close" });
    if (this.isStuck) response.write(" ");
    else if (this.endless !== undefined) this.#pour(response, this.endless);
    else response.end(this.body ?? JSON.stringify({ keys: this.keys }));
  });

  /** Resolves to the address of the keys once it listens. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const { port } = this.#server.address() as AddressInfo; // Not a string: it listens on a port.
    return `http://127.0.0.1:${port}/jwks.json`;
  }

  #pour(response: ServerResponse, piece: Uint8Array): void {
    let isTaken = true;
    while (isTaken && !response.destroyed) {
      isTaken = response.write(piece);
      this.sentBytes += piece.length;
    }
    response.once("drain", () => this.#pour(response, piece));
  }

  /** Resolves once the port is free; harmless when repeated. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
