import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** A certificate with its chain, and its private key, as PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Paths of the files of a key pair. */
export interface KeyPairFiles {
  readonly cert: string;
  readonly key: string;
}

/** One certificate of a PEM file (RFC 7468 §5). */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads a key pair, and checks that the files hold a certificate and its key. Not every runtime checks them before it
 * answers a client.
 *
 * @throws {Error} When a file cannot be read or holds something else. The message names the file.
 */
export function readKeyPair(files: KeyPairFiles): KeyPair {
  const cert = read("certificate", files.cert);
  const key = read("key", files.key);
  const chain = cert.match(CERTIFICATE) ?? [];
  const [own] = chain.map((pem) =>
    attempt(`Cannot read the certificate ${files.cert}`, () => new X509Certificate(pem)),
  );
  if (own === undefined) throw new Error(`Cannot read the certificate ${files.cert}: it has no certificate in PEM`);
  const privateKey = attempt(`Cannot read the key ${files.key}`, () => createPrivateKey(key));
  if (!own.checkPrivateKey(privateKey)) {
    throw new Error(`Cannot use the key ${files.key}: it is not the key of the certificate ${files.cert}`);
  }
  return { cert, key };
}

/** Returns until when the certificate is valid, as ISO 8601. */
export function validUntil({ cert }: KeyPair): string {
  return new Date(new X509Certificate(cert).validTo).toISOString();
}

function read(what: string, path: string): string {
  return attempt(`Cannot read the ${what}`, () => readFileSync(path, "utf8"));
}

function attempt<Result>(action: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw new Error(`${action}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
