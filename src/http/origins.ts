/** From which origins (RFC 6454) pages may connect. */
export interface OriginRules {
  /** Every origin may, the opaque one (`null`) included. */
  readonly any: boolean;
  /** Origins as URL spells them: lower case, without a default port. */
  readonly exact: ReadonlySet<string>;
  readonly subdomains: readonly SubdomainRule[];
}

/** `https://*.example.org:8443` as `https://` and `.example.org:8443`. */
interface SubdomainRule {
  readonly start: string;
  readonly end: string;
}

// Nothing of what else a URL may have: no user, path, query or fragment, and no empty label but a last one.
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(?:\[[0-9a-f:.]+\]|(?:[^\s.:/?#@\\[\]*%]+\.)*[^\s.:/?#@\\[\]*%]+\.?)(?::\d+)?$/;
const SUBDOMAINS = /^([a-z][a-z0-9+.-]*:\/\/)\*\.([^[]+)$/;

/**
 * Reads a list of origins with commas between them: `https://example.org`, `https://*.example.org` for the subdomains
 * of any depth but not for example.org itself, or `*` for all.
 *
 * @returns `undefined` for what is no such list, the empty text included.
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
 * Whether a request with this header `Origin` may open a WebSocket (RFC 6455 §10.2).
 *
 * @param origin Without one the request comes from no browser, and is allowed. `"null"`, a browser's word for an origin
 * that has no name, is allowed by `*` only, and so is what is no origin.
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

/** The one spelling of an origin in lower case; `undefined` for what is none. */
function normalize(origin: string): string | undefined {
  if (!ORIGIN.test(origin) || !URL.canParse(origin)) return undefined;
  const { protocol, host } = new URL(origin);
  return `${protocol}//${host}`;
}
