/** What an upgrade's answer says by itself (RFC 6455 §4.2.2), and what belongs to a body or to one hop. */
const ITS_OWN = /^(connection|upgrade|keep-alive|transfer-encoding|trailer|content-.*|sec-websocket-.*)$/;

/** The headers that the app's middleware has for the answer to a handshake. */
export function handshakeHeaders(headers: Headers): [name: string, value: string][] {
  return [...headers].filter(([name]) => !ITS_OWN.test(name));
}
