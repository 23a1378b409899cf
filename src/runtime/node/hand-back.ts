import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer } from "node:tls";

/** What `handBack` uses of a server. */
interface Emitter {
  emit(event: string, ...args: unknown[]): boolean;
}

/**
 * Has an upgrade request answered as an ordinary one: with its body, streamed, its connection kept alive.
 *
 * The server reads the request again, as the first of a new connection (node:http documents that one may emit `connection`), without the
 * word that makes it an upgrade. Not for a runtime that has read the request's body (Bun 1.4, Deno 2.9): those ask before they upgrade.
 */
export function handBack(server: Emitter, incoming: IncomingMessage, socket: Socket, head: Buffer): void {
  whenAnswered(socket, () => {
    if (socket.destroyed) return;
    // A time that was set for the connection between two requests.
    socket.setTimeout(0);
    socket.unshift(Buffer.concat([Buffer.from(headOf(incoming), "latin1"), head]));
    server.emit(server instanceof TlsServer ? "secureConnection" : "connection", socket);
  });
}

/** Runs the function when the answers to the requests before this one (RFC 9112 §9.3.2) are written. */
export function whenAnswered(socket: Socket, then: () => void): void {
  // Where node:http keeps the response that a socket is in use for; there is no public way to ask.
  const { _httpMessage: response } = socket as { _httpMessage?: ServerResponse | null };
  if (response === undefined || response === null) then();
  else response.once("close", () => whenAnswered(socket, then));
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

/** The list of the header Connection without the word that asks for an upgrade (RFC 9110 §7.8). */
function withoutUpgrade(list: string): string {
  const isOther = (option: string): boolean => option.trim().toLowerCase() !== "upgrade";
  return list.split(",").filter(isOther).join(",").trim();
}
