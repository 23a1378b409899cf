import { exportJWK, exportSPKI, type GenerateKeyPairResult, generateKeyPair, type JWK, SignJWT } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createJwtAuthorize } from "../../../src/http/jwt.ts";
import { JwksServer } from "./jwks-server.ts";
import { ask, refused, SECRET, sign } from "./tokens.ts";

const ALGORITHMS = ["RS256", "ES256", "EdDSA"];
const ALICE = { allow: true, id: "alice" };

const pairs = new Map<string, GenerateKeyPairResult>();
const publicKeys: JWK[] = [];
let server: JwksServer;
let jwksUrl: string;

beforeAll(async () => {
  for (const algorithm of ALGORITHMS) {
    const pair = await generateKeyPair(algorithm, { extractable: true });
    pairs.set(algorithm, pair);
    publicKeys.push({ ...(await exportJWK(pair.publicKey)), kid: algorithm, alg: algorithm, use: "sig" });
  }
});
beforeEach(async () => {
  // The clocks stand still until a test moves them; the network keeps its real timers.
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
  server = new JwksServer();
  server.keys = publicKeys;
  jwksUrl = await server.start();
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await server.stop();
});

function pairOf(algorithm: string): GenerateKeyPairResult {
  const pair = pairs.get(algorithm);
  if (pair === undefined) throw new Error(`There is no pair for ${algorithm}`);
  return pair;
}

/** Resolves to a token for alice that says it is signed with the key `kid`. */
function signWith(algorithm: string, kid?: string, { privateKey } = pairOf(algorithm)): Promise<string> {
  const header = kid === undefined ? { alg: algorithm } : { alg: algorithm, kid };
  return new SignJWT({ sub: "alice" }).setProtectedHeader(header).sign(privateKey);
}

describe("a token signed with a key of the JWKS", () => {
  test.each(ALGORITHMS)("by %s accepts its subject, with and without a key id", async (algorithm) => {
    const authorize = createJwtAuthorize({ jwksUrl });
    expect(await ask(authorize, await signWith(algorithm, algorithm))).toEqual(ALICE);
    expect(await ask(authorize, await signWith(algorithm))).toEqual(ALICE);
  });

  test("is good beside tokens signed with the secret, where both are set", async () => {
    const authorize = createJwtAuthorize({ jwksUrl, secret: SECRET });
    expect(await ask(authorize, await signWith("ES256", "ES256"))).toEqual(ALICE);
    expect(await ask(authorize, await sign())).toEqual(ALICE);
  });

  test.each(ALGORITHMS)("by %s is refused where only the secret is set", async (algorithm) => {
    const authorize = createJwtAuthorize({ secret: SECRET });
    expect(await ask(authorize, await signWith(algorithm))).toEqual(refused(401, "algorithm"));
  });

  test("must have a key id where two keys could fit", async () => {
    const other = await generateKeyPair("ES256", { extractable: true });
    server.keys = [...publicKeys, { ...(await exportJWK(other.publicKey)), kid: "other", alg: "ES256" }];
    const authorize = createJwtAuthorize({ jwksUrl });
    expect(await ask(authorize, await signWith("ES256", "other", other))).toEqual(ALICE);
    expect(await ask(authorize, await signWith("ES256"))).toEqual(refused(401, "\\(kid\\)"));
  });
});

describe("where a JWKS is set, a token is refused", () => {
  test.each(ALGORITHMS)("with the algorithm %s that is signed with an unknown key", async (algorithm) => {
    const token = await signWith(algorithm, algorithm, await generateKeyPair(algorithm));
    expect(await ask(createJwtAuthorize({ jwksUrl }), token)).toEqual(refused(401, "signature is wrong"));
  });

  test.each(["PS256", "RS512", "ES384"])("that is signed with %s", async (algorithm) => {
    const token = await signWith(algorithm, undefined, await generateKeyPair(algorithm));
    expect(await ask(createJwtAuthorize({ jwksUrl }), token)).toEqual(refused(401, "algorithm"));
    expect(server.requests).toBe(0);
  });

  test("that is signed by HS256 with the public key as its secret, whether or not the relay has a secret", async () => {
    const { publicKey } = pairOf("RS256");
    const jwk = JSON.stringify(publicKeys[0]);
    for (const secret of [await exportSPKI(publicKey), (await exportSPKI(publicKey)).trim(), jwk]) {
      const token = await sign({}, secret);
      expect(await ask(createJwtAuthorize({ jwksUrl }), token)).toEqual(refused(401, "algorithm"));
      expect(await ask(createJwtAuthorize({ jwksUrl, secret: SECRET }), token)).toEqual(
        refused(401, "signature is wrong"),
      );
    }
  });

  test("that names a key of another algorithm", async () => {
    const token = await signWith("ES256", "RS256");
    expect(await ask(createJwtAuthorize({ jwksUrl }), token)).toEqual(refused(401, "a key that is not known here"));
  });

  test("whose key in the JWKS is a secret", async () => {
    server.keys = [{ kty: "oct", k: Buffer.from(SECRET).toString("base64url"), kid: "shared", alg: "HS256" }];
    expect(await ask(createJwtAuthorize({ jwksUrl }), await sign())).toEqual(refused(401, "algorithm"));
  });
});

describe("the JWKS", () => {
  test("is fetched when the first token needs it, once, and again after ten minutes", async () => {
    const authorize = createJwtAuthorize({ jwksUrl, secret: SECRET });
    await ask(authorize, await sign());
    expect(server.requests).toBe(0);
    const token = await signWith("RS256", "RS256");
    await Promise.all(Array.from({ length: 20 }, () => ask(authorize, token)));
    vi.advanceTimersByTime(599_999);
    await ask(authorize, token);
    expect(server.requests).toBe(1);
    vi.advanceTimersByTime(1);
    await ask(authorize, token);
    expect(server.requests).toBe(2);
  });

  test("is fetched again for an unknown key, and then has the new key", async () => {
    server.keys = [];
    const authorize = createJwtAuthorize({ jwksUrl });
    const token = await signWith("EdDSA", "EdDSA");
    expect(await ask(authorize, token)).toEqual(refused(401, "a key that is not known here"));
    server.keys = publicKeys;
    vi.advanceTimersByTime(30_000);
    expect(await ask(authorize, token)).toEqual(ALICE);
    expect(server.requests).toBe(2);
  });

  test("is fetched once in 30 s, however many tokens have unknown keys", async () => {
    const authorize = createJwtAuthorize({ jwksUrl });
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, count) => signWith("EdDSA", `made-up-${count}`)));
    const askAll = () => Promise.all(tokens.map((token) => ask(authorize, token)));
    for (const authorization of await askAll()) expect(authorization).toEqual(refused(401, "not known here"));
    vi.advanceTimersByTime(29_999);
    await askAll();
    expect(server.requests).toBe(1);
    vi.advanceTimersByTime(1);
    await askAll();
    await askAll();
    expect(server.requests).toBe(2);
  });

  test.each([
    ["answers 500", { status: 500 }],
    ["redirects", { status: 302 }],
    ["is no JSON", { body: "<html>" }],
    ["is no key set", { body: "[]" }],
    [
      "has a key that is broken",
      { body: JSON.stringify({ keys: [{ kty: "EC", crv: "P-256", kid: "ES256", x: "AA" }] }) },
    ],
  ])("that %s is not the client's fault: 503, and at most one fetch per second", async (_what, answer) => {
    Object.assign(server, answer);
    const authorize = createJwtAuthorize({ jwksUrl });
    const token = await signWith("ES256", "ES256");
    for (let count = 0; count < 5; count++) {
      expect(await ask(authorize, token)).toEqual(refused(503, "cannot be fetched"));
    }
    expect(server.requests).toBe(1);
  });

  test("that is down is fetched again after a second", async () => {
    const authorize = createJwtAuthorize({ jwksUrl });
    const token = await signWith("ES256", "ES256");
    server.status = 503;
    expect(await ask(authorize, token)).toEqual(refused(503, "try again later"));
    server.status = 200;
    vi.advanceTimersByTime(999);
    expect(await ask(authorize, token)).toEqual(refused(503, "try again later"));
    vi.advanceTimersByTime(1);
    expect(await ask(authorize, token)).toEqual(ALICE);
  });

  test("that is down does not affect tokens with a known key, or signed with the secret", async () => {
    const authorize = createJwtAuthorize({ jwksUrl, secret: SECRET });
    const token = await signWith("ES256", "ES256");
    expect(await ask(authorize, token)).toEqual(ALICE);
    await server.stop();
    vi.advanceTimersByTime(60_000);
    expect(await ask(authorize, await signWith("ES256", "new"))).toEqual(refused(503, "cannot be fetched"));
    expect(await ask(authorize, token)).toEqual(ALICE);
    expect(await ask(authorize, await sign())).toEqual(ALICE);
  });

  test.each([
    ["a mebibyte of white space", new Uint8Array(65_536).fill(0x20)],
    ["a mebibyte of JSON", new TextEncoder().encode(`{"keys":[${'{"kty":"EC"},'.repeat(1000)}`)],
  ])("that is longer than %s is not read to its end: 503", async (_what, piece) => {
    server.endless = piece;
    const authorize = createJwtAuthorize({ jwksUrl });
    expect(await ask(authorize, await signWith("ES256", "ES256"))).toEqual(refused(503, "cannot be fetched"));
    expect(server.sentBytes).toBeLessThan(32 * 1_048_576);
    server.endless = undefined;
    vi.advanceTimersByTime(1000);
    expect(await ask(authorize, await signWith("ES256", "ES256"))).toEqual(ALICE);
  });

  test("whose response begins and does not end within 5 s is given up", async () => {
    server.isStuck = true;
    const soon = AbortSignal.timeout(100);
    vi.spyOn(AbortSignal, "timeout").mockReturnValue(soon);
    const authorize = createJwtAuthorize({ jwksUrl });
    expect(await ask(authorize, await signWith("ES256", "ES256"))).toEqual(refused(503, "cannot be fetched"));
  });

  test("without a response within 5 s is given up", async () => {
    server.isSilent = true;
    const soon = AbortSignal.timeout(20);
    const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(soon);
    const authorize = createJwtAuthorize({ jwksUrl });
    expect(await ask(authorize, await signWith("ES256", "ES256"))).toEqual(refused(503, "cannot be fetched"));
    expect(timeout).toHaveBeenCalledWith(5000);
  });
});
