import { createRemoteJWKSet, customFetch, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { checkOptions, type OptionKind, readSecret } from "../core/check-options.ts";
import { isId } from "../core/protocol/id.ts";
import type { Authorization } from "./authorization.ts";
import { boundedFetch } from "./bounded-fetch.ts";

/**
 * The keys of accepted tokens, and the claims that they must have. At least one of `secret` and `jwksUrl` is needed.
 */
export interface JwtOptions {
  /** Key of tokens signed with HS256. At least 32 bytes of UTF-8 (RFC 7518 §3.2). */
  readonly secret?: string | undefined;
  /** URL (http or https) of the JWKS with the public keys of tokens signed with RS256, ES256 or EdDSA (RFC 7517 §5). */
  readonly jwksUrl?: string | undefined;
  /** Required audience: `aud` must be this text, or a list that has it. Default: `aud` is not checked. */
  readonly audience?: string | undefined;
  /** Required issuer: `iss` must be this text. Default: `iss` is not checked. */
  readonly issuer?: string | undefined;
}

const JWT_OPTION_KINDS = {
  secret: "string",
  jwksUrl: "string",
  audience: "string",
  issuer: "string",
} as const satisfies Record<keyof JwtOptions, OptionKind>;

/** How much the clocks of the issuer and of the relay may differ. */
const CLOCK_TOLERANCE_SECONDS = 3;
const JWKS_TIMEOUT_MS = 5000;
/** Enough for more than a thousand keys. */
const JWKS_MAX_BYTES = 1_048_576;
const JWKS_MAX_AGE_MS = 600_000;
/** Time after a fetch in which a token with an unknown key does not cause another one. */
const JWKS_COOLDOWN_MS = 30_000;
/** Shortest time between two fetches of the JWKS. Needed because the cooldown counts from the last successful fetch. */
const JWKS_RETRY_MS = 1000;

const SECRET_ALGORITHMS = ["HS256"];
const JWKS_ALGORITHMS = ["RS256", "ES256", "EdDSA"];

const NO_TOKEN =
  "Cannot connect: no token; send it as Authorization: Bearer <token>, as the subprotocol bearer.<token>, " +
  "or as ?token=<token>";

const EXPIRED = "Cannot connect: the token has expired";

/** The sentence for the client, by the code of jose's error. */
const SENTENCES: Readonly<Record<string, string>> = {
  [errors.JWSSignatureVerificationFailed.code]: "Cannot connect: the token's signature is wrong",
  [errors.JOSEAlgNotAllowed.code]: "Cannot connect: tokens signed with this algorithm are not accepted",
  [errors.JWKSNoMatchingKey.code]: "Cannot connect: the token is signed with a key that is not known here",
  [errors.JWKSMultipleMatchingKeys.code]: "Cannot connect: the token does not say which key it is signed with (kid)",
};

/** The JWKS could not be fetched. The client's token may be good. */
class KeysUnavailable extends Error {}

/**
 * Makes an `authorize` that accepts clients with a JSON Web Token (RFC 7519) signed by one of the keys. The token's
 * `sub` becomes the client's id.
 *
 * The token is read from the header `Authorization: Bearer`, else from the offered subprotocol `bearer.<token>`, else
 * from the query parameter `token`. The first of them that is there counts, good or bad. The algorithm decides which
 * kind of key checks the token, so a public key is never used as a secret.
 *
 * @returns The `authorize` function. It resolves to a refusal with 401 where the token is missing or bad, with 403
 * where `sub` is no valid id, and with 503 where the JWKS cannot be fetched. No message has any part of the token. It
 * rejects only where a key itself is unfit, such as an RSA key of less than 2048 bits.
 * @throws {TypeError} When an option does not exist or is of a wrong type.
 * @throws {RangeError} When there is neither `secret` nor `jwksUrl`, the secret is too short, or the URL is not valid.
 * @example
 * ```ts
 * import { createJwtAuthorize } from "hono-relay";
 * import { createNodeRelay } from "hono-relay/node";
 *
 * const { routes } = createNodeRelay({
 *   authorize: createJwtAuthorize({ jwksUrl: "https://login.example.org/jwks.json", audience: "relay" }),
 * });
 * ```
 */
export function createJwtAuthorize(options: JwtOptions): (request: Request) => Promise<Authorization> {
  checkOptions("Cannot check tokens", options, JWT_OPTION_KINDS);
  const { secret, jwksUrl, audience, issuer } = options;
  if (secret === undefined && jwksUrl === undefined) {
    throw new RangeError("Cannot check tokens: there is neither a secret nor the URL of a JWKS");
  }
  const secretKey = secret === undefined ? undefined : readSecret("Cannot check tokens", secret);
  const findPublicKey = jwksUrl === undefined ? undefined : createPublicKeySearch(jwksUrl);
  const findKey: JWTVerifyGetKey = (header, input) => {
    const key = SECRET_ALGORITHMS.includes(header.alg) ? secretKey : findPublicKey?.(header, input);
    if (key === undefined) throw new errors.JOSEAlgNotAllowed(header.alg);
    return key;
  };
  const requirements = {
    algorithms: [
      ...(secretKey === undefined ? [] : SECRET_ALGORITHMS),
      ...(findPublicKey === undefined ? [] : JWKS_ALGORITHMS),
    ],
    requiredClaims: ["sub"],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    ...(audience === undefined ? {} : { audience }),
    ...(issuer === undefined ? {} : { issuer }),
  };

  return async (request) => {
    const token = findToken(request);
    if (token === undefined) return refuse(401, NO_TOKEN);
    try {
      const { payload } = await jwtVerify(token, findKey, requirements);
      return readClaims(payload);
    } catch (error) {
      if (error instanceof KeysUnavailable) {
        return refuse(503, "Cannot connect: the keys that tokens are checked with cannot be fetched; try again later");
      }
      if (error instanceof errors.JWTExpired) return { ...refuse(401, EXPIRED), expired: true };
      if (error instanceof errors.JWTClaimValidationFailed) return refuse(401, sentenceForClaim(error));
      if (error instanceof errors.JOSEError) {
        return refuse(401, SENTENCES[error.code] ?? "Cannot connect: the token cannot be read");
      }
      throw error;
    }
  };
}

/**
 * Returns a search in the JWKS, which is fetched for the first token. Rejects with KeysUnavailable when the fetch
 * fails.
 */
function createPublicKeySearch(jwksUrl: string): JWTVerifyGetKey {
  let nextFetchAt = Number.NEGATIVE_INFINITY;
  const jwks = createRemoteJWKSet(readUrl(jwksUrl), {
    timeoutDuration: JWKS_TIMEOUT_MS,
    cooldownDuration: JWKS_COOLDOWN_MS,
    cacheMaxAge: JWKS_MAX_AGE_MS,
    [customFetch]: async (url, init) => {
      const now = performance.now();
      if (now < nextFetchAt) throw new KeysUnavailable();
      nextFetchAt = now + JWKS_RETRY_MS;
      return boundedFetch(url, init, JWKS_MAX_BYTES);
    },
  });
  return async (header, input) => {
    try {
      return await jwks(header, input);
    } catch (error) {
      const isFaultOfToken =
        error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
      throw isFaultOfToken ? error : new KeysUnavailable(undefined, { cause: error });
    }
  };
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // fetch refuses a URL with a user name or a password.
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new RangeError("Cannot check tokens: the URL of the JWKS is not one of http or https without a user name");
  }
  return url;
}

function findToken({ headers, url }: Request): string | undefined {
  const bearer = /^bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  for (const offer of headers.get("sec-websocket-protocol")?.split(",") ?? []) {
    const offered = /^bearer\.(.+)$/.exec(offer.trim())?.[1];
    if (offered !== undefined) return offered;
  }
  return new URL(url).searchParams.get("token") || undefined;
}

function readClaims({ sub, exp, rooms, to }: JWTPayload): Authorization {
  if (typeof sub !== "string" || !isId(sub)) {
    return refuse(403, "Cannot connect: the token's subject (sub) is not 1 to 64 characters of A-Z a-z 0-9 . _ ~ -");
  }
  if (rooms !== undefined && !isStrings(rooms)) {
    return refuse(401, "Cannot connect: the token's rooms are not an array of strings");
  }
  if (to !== undefined && !isStrings(to)) {
    return refuse(401, "Cannot connect: the token's to is not an array of strings");
  }
  return {
    allow: true,
    id: sub,
    // jose compares whole seconds. With the same rounding and tolerance, an accepted client is not closed at once.
    ...(exp === undefined ? {} : { expiresAt: Math.ceil(exp + CLOCK_TOLERANCE_SECONDS) * 1000 }),
    ...(rooms === undefined ? {} : { rooms }),
    ...(to === undefined ? {} : { to }),
  };
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function sentenceForClaim({ claim, reason }: errors.JWTClaimValidationFailed): string {
  if (reason === "missing") return `Cannot connect: the token has no ${claim}`;
  if (reason === "invalid") return `Cannot connect: the token's ${claim} is not a number`;
  if (claim === "nbf") return "Cannot connect: the token is not valid yet";
  return `Cannot connect: the token's ${claim} is not the one that is asked for`;
}

function refuse(status: 401 | 403 | 503, message: string) {
  return { allow: false, status, message } as const;
}
