import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The networks whose word on where a request comes from is taken: addresses, and how many of their bits count. */
export type TrustedProxies = readonly (readonly [Address, number])[];

/** As far as a header is looked at, from its end: a proxy appends, so what a client made up is at the start. */
const HEADER_CHARACTERS_MAX = 4096;
/** An IPv6 address has up to 45 characters, and the name of an interface, which may follow it, up to 15. */
const ADDRESS_CHARACTERS_MAX = 64;
const MAPPED_BITS = 96;

/**
 * Reads a list of addresses and networks (`10.0.0.0/8`, `::1`) with commas between them.
 *
 * An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`) is the IPv4 address, so `::/0` covers no IPv4.
 *
 * @returns `undefined` for what is no such list; none for the empty text.
 */
export function parseTrustedProxies(text: string): TrustedProxies | undefined {
  if (text.trim() === "") return [];
  const proxies: (readonly [Address, number])[] = [];
  for (const entry of text.split(",")) {
    const network = parseNetwork(entry.trim());
    if (network === undefined) return undefined;
    proxies.push(network);
  }
  return proxies;
}

/**
 * Finds whom a request comes from: the last hop on its way that is not one of the trusted proxies.
 *
 * Where the peer is a trusted proxy, the hops are those of the header `X-Forwarded-For`, or without it of `Forwarded` (RFC 7239),
 * read from the end. What is no address (`unknown`, `_hidden`, rubbish) ends the search at the proxy that wrote it. Most proxies
 * append to the first and pass the second on as a client wrote it; one that writes `Forwarded` only must therefore drop the
 * `X-Forwarded-For` of a client.
 *
 * @param peer The address at the other end of the socket.
 * @returns An address in its shortest spelling, IPv4 where it is one; a peer that cannot be read, as it is. Never throws.
 */
export function clientAddress(peer: string, headers: Headers, trusted: TrustedProxies): string {
  let address = parseAddress(peer);
  if (address === undefined) return peer;
  if (!isTrusted(address, trusted)) return address.toString();
  for (const hop of hopsFromTheEnd(headers)) {
    if (hop === undefined) break;
    address = hop;
    if (!isTrusted(address, trusted)) break;
  }
  return address.toString();
}

/**
 * What to count the requests of one client by: an IPv4 address as it is, of an IPv6 address the first 64 bits, in which
 * a client may pick any address (RFC 4291 §2.5.4), and anything else as it is. Never throws.
 */
export function addressKey(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === undefined) return address;
  if (parsed.kind() === "ipv4") return parsed.toString();
  const network = parsed.toByteArray().fill(0, 8);
  return `${ipaddr.fromByteArray(network)}/64`;
}

/** Strict, unlike the library: no octal, hexadecimal or shortened IPv4. */
function parseAddress(text: string): Address | undefined {
  if (text.length > ADDRESS_CHARACTERS_MAX) return undefined;
  const dotted = text.includes(".") ? text.slice(text.lastIndexOf(":") + 1) : undefined;
  if (dotted !== undefined && !ipaddr.IPv4.isValidFourPartDecimal(dotted)) return undefined;
  if (dotted !== text && !ipaddr.IPv6.isValid(text)) return undefined;
  return ipaddr.process(text);
}

function parseNetwork(text: string): readonly [Address, number] | undefined {
  const [, addressText = "", bitsText] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(addressText);
  if (address === undefined) return undefined;
  const isMapped = address.kind() === "ipv4" && addressText.includes(":");
  const bitsMax = address.kind() === "ipv4" ? 32 : 128;
  if (bitsText === undefined) return [address, bitsMax];
  const bits = Number(bitsText) - (isMapped ? MAPPED_BITS : 0);
  return bits >= 0 && bits <= bitsMax ? [address, bits] : undefined;
}

function isTrusted(address: Address, trusted: TrustedProxies): boolean {
  return trusted.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
}

/** The hops that the proxies wrote down, last first; `undefined` for one that is no address. */
function* hopsFromTheEnd(headers: Headers): Generator<Address | undefined> {
  const forwardedFor = headers.get("x-forwarded-for");
  const list = forwardedFor ?? headers.get("forwarded");
  if (list === null) return;
  const elements = piecesFromTheEnd(list.slice(-HEADER_CHARACTERS_MAX), ",");
  // Half an address may look like one.
  if (list.length > HEADER_CHARACTERS_MAX) elements.pop();
  for (const element of elements) yield parseNode(forwardedFor === null ? readFor(element) : element);
}

/** The value of `for` in an element of Forwarded (RFC 7239 §4); the empty text where there is none, or more than one. */
function readFor(element: string): string {
  const [pair = "", second] = piecesFromTheEnd(element, ";").filter((piece) => /^for=/i.test(piece));
  if (second !== undefined) return "";
  const [, quoted, bare = ""] = /^for=(?:"((?:[^"\\]|\\.)*)"|([^"]*))$/i.exec(pair) ?? [];
  return quoted?.replaceAll(/\\(.)/g, "$1") ?? bare;
}

/** A node (RFC 7239 §6), or what stands for one in X-Forwarded-For; either with or without a port. */
function parseNode(text: string): Address | undefined {
  const [, inBrackets] = /^\[([^\]]*:[^\]]*)\](?::\w+)?$/.exec(text) ?? [];
  const [, beforePort] = /^([^:]*):\w+$/.exec(text) ?? [];
  return parseAddress(inBrackets ?? beforePort ?? text);
}

/**
 * Splits at a separator outside of quotes (RFC 9110 §5.6.4), last piece first and without the space around each.
 *
 * It reads from the end, so that a quote which a client left open swallows nothing that a proxy has appended.
 */
function piecesFromTheEnd(text: string, separator: string): string[] {
  const pieces: string[] = [];
  let isQuoted = false;
  let end = text.length;
  for (let at = text.length - 1; at >= 0; at--) {
    if (text[at] === '"') {
      let backslashes = 0;
      while (text[at - backslashes - 1] === "\\") backslashes++;
      if (backslashes % 2 === 0) isQuoted = !isQuoted;
    } else if (text[at] === separator && !isQuoted) {
      pieces.push(text.slice(at + 1, end).trim());
      end = at;
    }
  }
  pieces.push(text.slice(0, end).trim());
  return pieces;
}
