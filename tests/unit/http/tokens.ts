import { type JWTPayload, SignJWT } from "jose";
import { expect } from "vitest";
import type { Authorization } from "../../../src/http/authorization.ts";

export const SECRET = "0123456789abcdef0123456789abcdef";

/** Resolves to a token with these claims. Its subject is alice unless the claims have another. */
export function sign(claims: JWTPayload = {}, secret = SECRET, algorithm = "HS256"): Promise<string> {
  return signClaims({ sub: "alice", ...claims }, secret, algorithm);
}

/** Resolves to a token with these claims and no others. */
export function signClaims(claims: JWTPayload, secret = SECRET, algorithm = "HS256"): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: algorithm }).sign(new TextEncoder().encode(secret));
}

/** Encodes a part of a token. */
export function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/** Makes a token with a forged signature. */
export function forge(header: object, claims: object, signature = ""): string {
  return `${encode(header)}.${encode(claims)}.${signature}`;
}

/** Returns the decision of `authorize` on a client with the token. */
export function ask(authorize: (request: Request) => Promise<Authorization>, token: string): Promise<Authorization> {
  return authorize(new Request("http://relay.example/ws", { headers: { Authorization: `Bearer ${token}` } }));
}

/** Returns a matcher for a refusal. `words` is a regular expression for the end of its sentence. */
export function refused(status: number, words: string) {
  return { allow: false, status, message: expect.stringMatching(new RegExp(`^Cannot connect: .*${words}`)) };
}
