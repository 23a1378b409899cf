/**
 * Headers that the app may not set: those of the handshake itself (RFC 6455 §4.2.2), of a body, and of a single hop.
 */
const RESERVED = /^(connection|upgrade|keep-alive|transfer-encoding|trailer|content-.*|sec-websocket-.*)$/;

/** Returns the headers of the app's middleware for the response to a handshake. */
export function handshakeHeaders(headers: Headers): [name: string, value: string][] {
  return [...headers].filter(([name]) => !RESERVED.test(name));
}
