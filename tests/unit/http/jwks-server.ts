import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { JWK } from "jose";

/** A server of public keys on a free port of the loopback interface. The test may change its response. */
export class JwksServer {
  keys: readonly JWK[] = [];
  status = 200;
  /** Body of the response, in place of the keys. */
  body: string | undefined;
  /** Whether the server accepts requests and never responds. */
  isSilent = false;
  /** Piece of an endless response, sent again and again as fast as it is read. */
  endless: Uint8Array | undefined;
  /** Whether the server sends a first byte and then nothing more. */
  isStuck = false;
  /** Bytes that were sent of an endless response. */
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

  /** Starts the server. Resolves to the URL of the keys when it listens. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const { port } = this.#server.address() as AddressInfo; // An object, because the server listens on a port.
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

  /** Stops the server. Resolves when the port is free; harmless when repeated. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
