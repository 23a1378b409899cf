import type { MiddlewareHandler } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { timingSafeEqual } from "hono/utils/buffer";
import { MIN_SECRET_BYTES } from "../../core/check-options.ts";

/** At least as many characters as a secret has bytes, of those of a bearer token (RFC 6750 §2.1). */
const KEY = new RegExp(`^(?=.{${MIN_SECRET_BYTES}})[A-Za-z0-9._~+/-]+=*$`);

/** Whether the text can be a key of the admin API. */
export function isApiKey(text: string): boolean {
  return KEY.test(text);
}

/**
 * Makes a middleware that lets requests pass that show one of the keys, and throws a HTTPException for others.
 *
 * @param action Begins the sentence of the error.
 * @throws {RangeError} When there is no key, or one is too short or has other characters.
 */
export function requireKey(action: string, keys: readonly string[]): MiddlewareHandler {
  if (keys.length === 0) throw new RangeError(`${action}: there is no key`);
  if (!keys.every(isApiKey)) {
    throw new RangeError(
      `${action}: a key is not at least ${MIN_SECRET_BYTES} characters of A-Z a-z 0-9 . _ ~ + / - and = at the end`,
    );
  }
  return bearerAuth({
    verifyToken: async (token) => {
      // All keys are compared, so that the time tells nothing about them.
      const matches = await Promise.all(keys.map((key) => timingSafeEqual(key, token)));
      return matches.includes(true);
    },
  });
}
