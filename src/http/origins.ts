/** The origins (RFC 6454) whose pages may connect. */
export interface OriginRules {
  /** Whether every origin is allowed, the opaque origin (`null`) included. */
  readonly any: boolean;
  /** Allowed origins as URL writes them: lower case, without a default port. */
  readonly exact: ReadonlySet<string>;
  readonly subdomains: readonly SubdomainRule[];
}

/** `https://*.example.org:8443` as `https://` and `.example.org:8443`. */
interface SubdomainRule {
  readonly start: string;
  readonly end: string;
}

// A scheme, a host and perhaps a port: no user name, path, query or fragment. A host may end in a dot.
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(?:\[[0-9a-f:.]+\]|(?:[^\s.:/?#@\\[\]*%]+\.)*[^\s.:/?#@\\[\]*%]+\.?)(?::\d+)?$/;
const SUBDOMAINS = /^([a-z][a-z0-9+.-]*:\/\/)\*\.([^[]+)$/;

/**
 * Parses a list of origins with commas between them: `https://example.org`, `https://*.example.org` for its subdomains
 * of any depth but not for example.org itself, or `*` for all.
 *
 * @returns `undefined` where the text is no such list. The empty text is none.
 */
export function parseOrigins(text: string): OriginRules | undefined {
  let any = false;
  const exact = new Set<string>();
  const subdomains: SubdomainRule[] = [];
  for (const entry of text.split(",")) {
    const rule = entry.trim().toLowerCase();
    const [, scheme, domain] = SUBDOMAINS.exec(rule) ?? [];
    const origin = normalize(scheme === undefined ? rule : `${scheme}${domain}`);
    if (rule === "*") any = true;
    else if (origin === undefined) return undefined;
    else if (scheme === undefined) exact.add(origin);
    else subdomains.push({ start: scheme, end: `.${origin.slice(scheme.length)}` });
  }
  return { any, exact, subdomains };
}

/**
 * Returns whether a request with this header `Origin` may open a WebSocket (RFC 6455 §10.2).
 *
 * @param origin A request without the header does not come from a page, and is allowed. `"null"`, which browsers send
 * for an opaque origin, is allowed by `*` only, and so is text that is no origin.
 */
export function allowsOrigin(rules: OriginRules, origin: string | null | undefined): boolean {
  if (rules.any || origin === null || origin === undefined) return true;
  const normal = normalize(origin.toLowerCase());
  if (normal === undefined) return false;
  return (
    rules.exact.has(normal) ||
    rules.subdomains.some(({ start, end }) => normal.startsWith(start) && normal.endsWith(end))
  );
}

/** Returns an origin as URL writes it; `undefined` where the text, in lower case, is no origin. */
function normalize(origin: string): string | undefined {
  if (!ORIGIN.test(origin) || !URL.canParse(origin)) return undefined;
  const { protocol, host } = new URL(origin);
  return `${protocol}//${host}`;
}
