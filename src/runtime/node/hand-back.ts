import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer } from "node:tls";

/** The part of a server that `handBack` uses. */
interface Emitter {
  emit(event: string, ...args: unknown[]): boolean;
}

/**
 * Hands an upgrade request back to the server, which answers it as an ordinary request. Its body can be streamed, and
 * its connection stays open for further requests.
 *
 * The server reads the request a second time, as the first one of a new connection (node:http documents that
 * `connection` may be emitted), and without the header value that asks for an upgrade. Needed on Node before 24.9 only.
 * It would not work on Bun 1.4 and Deno 2.9, which have read the request's body by then; these ask
 * `shouldUpgradeCallback` instead.
 */
export function handBack(server: Emitter, incoming: IncomingMessage, socket: Socket, head: Buffer): void {
  afterEarlierResponses(socket, () => {
    if (socket.destroyed) return;
    // Clears the timeout that the server set for the pause between two requests.
    socket.setTimeout(0);
    socket.unshift(Buffer.concat([Buffer.from(headOf(incoming), "latin1"), head]));
    server.emit(server instanceof TlsServer ? "secureConnection" : "connection", socket);
  });
}

/** Runs the callback when the responses to earlier requests on the same connection (RFC 9112 §9.3.2) are written. */
export function afterEarlierResponses(socket: Socket, callback: () => void): void {
  // node:http keeps here the response that the socket is in use for. There is no public property for it.
  const { _httpMessage: response } = socket as { _httpMessage?: ServerResponse | null };
  if (response === undefined || response === null) callback();
  else response.once("close", () => afterEarlierResponses(socket, callback));
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = "", value = ""] = [rawHeaders[i], rawHeaders[i + 1]];
    const kept = name.toLowerCase() === "connection" ? withoutUpgrade(value) : value;
    if (kept !== "" || value === "") head += `${name}: ${kept}\r\n`;
  }
  return `${head}\r\n`;
}

/** Returns the list of a header Connection without the option `upgrade` (RFC 9110 §7.8). */
function withoutUpgrade(list: string): string {
  const isOther = (option: string): boolean => option.trim().toLowerCase() !== "upgrade";
  return list.split(",").filter(isOther).join(",").trim();
}
