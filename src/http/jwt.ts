import { createRemoteJWKSet, customFetch, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { checkOptions, type OptionKind } from "../core/check-options.ts";
import { isId } from "../core/protocol/id.ts";
import type { Authorization } from "./authorization.ts";
import { boundedFetch } from "./bounded-fetch.ts";

/** What tokens are checked with: a secret, a JWKS, or both. */
export interface JwtOptions {
  /** Key of tokens signed with HS256, and of no others. At least 32 bytes as UTF-8 (RFC 7518 §3.2). */
  readonly secret?: string | undefined;
  /** Where the public keys of tokens signed with RS256, ES256 or EdDSA are (RFC 7517 §5), and of no others: http or https. */
  readonly jwksUrl?: string | undefined;
  /** What `aud` must be or hold; without it, any or none is accepted. */
  readonly audience?: string | undefined;
  /** What `iss` must be; without it, any or none is accepted. */
  readonly issuer?: string | undefined;
}

const JWT_OPTION_KINDS = {
  secret: "string",
  jwksUrl: "string",
  audience: "string",
  issuer: "string",
} as const satisfies Record<keyof JwtOptions, OptionKind>;

const SECRET_BYTES_MIN = 32;
/** How far apart the clocks of the issuer and of the relay may be. */
const CLOCK_TOLERANCE_SECONDS = 3;
const JWKS_TIMEOUT_MS = 5000;
/** More than a thousand keys. */
const JWKS_MAX_BYTES = 1_048_576;
const JWKS_MAX_AGE_MS = 600_000;
/** A token with an unknown key has the JWKS fetched again, unless it was fetched this short a time ago. */
const JWKS_COOLDOWN_MS = 30_000;
/** Two attempts to fetch the JWKS start no closer to each other: the cooldown counts from the last success only. */
const JWKS_RETRY_MS = 1000;

const SECRET_ALGORITHMS = ["HS256"];
const JWKS_ALGORITHMS = ["RS256", "ES256", "EdDSA"];

const NO_TOKEN =
  "Cannot connect: no token; send it as Authorization: Bearer <token>, as the subprotocol bearer.<token>, or as ?token=<token>";

const EXPIRED = "Cannot connect: the token has expired";

/** What a client is told, by the code of what jose found wrong with its token. */
const SENTENCES: Readonly<Record<string, string>> = {
  [errors.JWSSignatureVerificationFailed.code]: "Cannot connect: the token's signature is wrong",
  [errors.JOSEAlgNotAllowed.code]: "Cannot connect: tokens signed with this algorithm are not accepted",
  [errors.JWKSNoMatchingKey.code]: "Cannot connect: the token is signed with a key that is not known here",
  [errors.JWKSMultipleMatchingKeys.code]: "Cannot connect: the token does not say which key it is signed with (kid)",
};

/** The JWKS could not be had; not the client's fault. */
class KeysUnavailable extends Error {}

/**
 * Lets in who has a JSON Web Token (RFC 7519) that one of the keys has signed, as the id in its `sub`.
 *
 * The token is looked for in the header `Authorization: Bearer`, then among the offered subprotocols as `bearer.<token>`,
 * then in the parameter `token`; the first that is found counts, good or bad. The algorithm decides which kind of key
 * checks it, so a public key never serves as a secret.
 *
 * @returns What decides on a request. It resolves to a refusal with 401 for a token that is missing or bad, 403 for a
 * `sub` that cannot be an id, 503 where the JWKS cannot be fetched; no message holds any part of the token. It rejects
 * only where a key itself is unfit (an RSA key of less than 2048 bits).
 * @throws {TypeError} Where an option does not exist or is of a wrong type.
 * @throws {RangeError} Where the options hold neither secret nor URL, a secret that is too short, or what is no URL.
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
  const secretKey = secret === undefined ? undefined : readSecret(secret);
  const findPublicKey = jwksUrl === undefined ? undefined : createPublicKeys(jwksUrl);
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
      if (error instanceof errors.JWTClaimValidationFailed) return refuse(401, sentenceOnClaim(error));
      if (error instanceof errors.JOSEError) {
        return refuse(401, SENTENCES[error.code] ?? "Cannot connect: the token cannot be read");
      }
      throw error;
    }
  };
}

function readSecret(secret: string): Uint8Array {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.length < SECRET_BYTES_MIN) {
    throw new RangeError(
      `Cannot check tokens: the secret is ${bytes.length} bytes, at least ${SECRET_BYTES_MIN} are needed`,
    );
  }
  return bytes;
}

/** The keys of a JWKS, fetched when first needed; a search rejects with KeysUnavailable where they cannot be had. */
function createPublicKeys(jwksUrl: string): JWTVerifyGetKey {
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
      const isTokensFault =
        error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
      throw isTokensFault ? error : new KeysUnavailable(undefined, { cause: error });
    }
  };
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // With a user name or a password in it, fetch would refuse it each time.
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
    // jose compares whole seconds; with the same tolerance here, who is let in is not told at once to go.
    ...(exp === undefined ? {} : { expiresAt: Math.ceil(exp + CLOCK_TOLERANCE_SECONDS) * 1000 }),
    ...(rooms === undefined ? {} : { rooms }),
    ...(to === undefined ? {} : { to }),
  };
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function sentenceOnClaim({ claim, reason }: errors.JWTClaimValidationFailed): string {
  if (reason === "missing") return `Cannot connect: the token has no ${claim}`;
  if (reason === "invalid") return `Cannot connect: the token's ${claim} is not a number`;
  if (claim === "nbf") return "Cannot connect: the token is not valid yet";
  return `Cannot connect: the token's ${claim} is not the one that is asked for`;
}

function refuse(status: 401 | 403 | 503, message: string) {
  return { allow: false, status, message } as const;
}
