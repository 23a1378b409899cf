import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A network: an address, and the length of its prefix in bits. */
type Network = readonly [Address, number];

/** Networks of the proxies that the relay trusts to report a client's address; `unix` for peers on a Unix socket. */
export type TrustedProxies = readonly (Network | "unix")[];

/**
 * Most characters of a header that are read, from its end. Proxies append, so a client's own entries are at the start.
 */
const HEADER_CHARACTERS_MAX = 4096;
/** An IPv6 address has up to 45 characters, and the interface name that may follow it has up to 15. */
const ADDRESS_CHARACTERS_MAX = 64;
/** An IPv4 address in its shortest form. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
/** Bits before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2). */
const MAPPED_PREFIX_BITS = 96;

/**
 * Reads a list of addresses and networks (`10.0.0.0/8`, `::1`) with commas between them.
 *
 * An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) counts as the IPv4 address, so `::/0` covers no IPv4. The word `unix`
 * stands for a peer without an address, which is one on a Unix socket.
 *
 * @returns `undefined` where the text is no such list; an empty list for the empty text.
 */
export function parseTrustedProxies(text: string): TrustedProxies | undefined {
  if (text.trim() === "") return [];
  const proxies: (Network | "unix")[] = [];
  for (const entry of text.split(",").map((piece) => piece.trim())) {
    const network = entry === "unix" ? entry : parseNetwork(entry);
    if (network === undefined) return undefined;
    proxies.push(network);
  }
  return proxies;
}

/**
 * Finds the address of the client: the last hop that is not a trusted proxy. Never throws.
 *
 * Where the peer is a trusted proxy, the hops are read from the header `X-Forwarded-For`, or without it from
 * `Forwarded` (RFC 7239), from the end. An entry that is no address (`unknown`, `_hidden`, rubbish) ends the search at
 * the proxy that wrote it. Most proxies append to `X-Forwarded-For` and pass a client's `Forwarded` on unchanged. So a
 * proxy that writes only `Forwarded` must remove a client's `X-Forwarded-For`.
 *
 * @param peer The address at the other end of the socket; `undefined` where there is none.
 * @returns The address in its shortest form, an IPv4-mapped one as IPv4; `peer` unchanged where it does not parse.
 */
export function clientAddress(peer: string, headers: Pick<Headers, "get">, trusted: TrustedProxies): string;
export function clientAddress(
  peer: string | undefined,
  headers: Pick<Headers, "get">,
  trusted: TrustedProxies,
): string | undefined;
export function clientAddress(
  peer: string | undefined,
  headers: Pick<Headers, "get">,
  trusted: TrustedProxies,
): string | undefined {
  // Parsing takes some microseconds, and most addresses are IPv4 already.
  if (peer !== undefined && trusted.length === 0 && IPV4.test(peer)) return peer;
  let address = peer === undefined ? undefined : parseAddress(peer);
  const isProxy = peer === undefined ? trusted.includes("unix") : address !== undefined && isTrusted(address, trusted);
  if (!isProxy) return address?.toString() ?? peer;
  for (const hop of hopsFromTheEnd(headers)) {
    if (hop === undefined) break;
    address = hop;
    if (!isTrusted(address, trusted)) break;
  }
  return address?.toString();
}

/**
 * Returns the key by which one client's connections are counted: an IPv4 address unchanged, and the /64 network of an
 * IPv6 address, because a client may use any address within its /64 (RFC 4291 §2.5.4). Never throws; text that is no
 * address is returned unchanged.
 */
export function addressKey(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === undefined) return address;
  if (parsed.kind() === "ipv4") return parsed.toString();
  const network = parsed.toByteArray().fill(0, 8);
  return `${ipaddr.fromByteArray(network)}/64`;
}

/** Parses an address more strictly than the library: no octal, hexadecimal or shortened IPv4. */
function parseAddress(text: string): Address | undefined {
  if (text.length > ADDRESS_CHARACTERS_MAX) return undefined;
  const dotted = text.includes(".") ? text.slice(text.lastIndexOf(":") + 1) : undefined;
  if (dotted !== undefined && !ipaddr.IPv4.isValidFourPartDecimal(dotted)) return undefined;
  if (dotted !== text && !ipaddr.IPv6.isValid(text)) return undefined;
  return ipaddr.process(text);
}

function parseNetwork(text: string): Network | undefined {
  const [, addressText = "", bitsText] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(addressText);
  if (address === undefined) return undefined;
  const isMapped = address.kind() === "ipv4" && addressText.includes(":");
  const bitsMax = address.kind() === "ipv4" ? 32 : 128;
  if (bitsText === undefined) return [address, bitsMax];
  const bits = Number(bitsText) - (isMapped ? MAPPED_PREFIX_BITS : 0);
  return bits >= 0 && bits <= bitsMax ? [address, bits] : undefined;
}

function isTrusted(address: Address, trusted: TrustedProxies): boolean {
  return trusted.some((entry) => {
    if (entry === "unix") return false;
    const [network, bits] = entry;
    return network.kind() === address.kind() && address.match(network, bits);
  });
}

/** Yields the hops in the header, last first; `undefined` for an entry that is no address. */
function* hopsFromTheEnd(headers: Pick<Headers, "get">): Generator<Address | undefined> {
  const forwardedFor = headers.get("x-forwarded-for");
  const list = forwardedFor ?? headers.get("forwarded");
  if (list === null) return;
  const elements = piecesFromTheEnd(list.slice(-HEADER_CHARACTERS_MAX), ",");
  // The first element may be cut, and the rest of a cut address may look like another address.
  if (list.length > HEADER_CHARACTERS_MAX) elements.pop();
  for (const element of elements) yield parseNode(forwardedFor === null ? readFor(element) : element);
}

/** Returns the value of `for` in an element of Forwarded (RFC 7239 §4); empty where `for` is missing or repeated. */
function readFor(element: string): string {
  const [pair = "", second] = piecesFromTheEnd(element, ";").filter((piece) => /^for=/i.test(piece));
  if (second !== undefined) return "";
  const [, quoted, bare = ""] = /^for=(?:"((?:[^"\\]|\\.)*)"|([^"]*))$/i.exec(pair) ?? [];
  return quoted?.replaceAll(/\\(.)/g, "$1") ?? bare;
}

/** Parses a node of Forwarded (RFC 7239 §6) or an entry of X-Forwarded-For, with or without a port. */
function parseNode(text: string): Address | undefined {
  const [, inBrackets] = /^\[([^\]]*:[^\]]*)\](?::\w+)?$/.exec(text) ?? [];
  const [, beforePort] = /^([^:]*):\w+$/.exec(text) ?? [];
  return parseAddress(inBrackets ?? beforePort ?? text);
}

/**
 * Splits at a separator outside of quotes (RFC 9110 §5.6.4). Returns the pieces, trimmed, last first.
 *
 * The text is read from its end, so that a quote that a client left open hides nothing that a proxy appended.
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
