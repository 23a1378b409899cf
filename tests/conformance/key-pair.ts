import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Makes a self-signed certificate for localhost and its key, in files of the folder. */
export function makeKeyPair(folder: string, commonName: string) {
  const [cert, key] = [join(folder, `${commonName}.crt`), join(folder, `${commonName}.key`)];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-keyout", key, "-out", cert, "-subj", `/CN=${commonName}`],
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ],
    { stdio: "pipe" },
  );
  return { cert, key, certText: readFileSync(cert, "utf8"), keyText: readFileSync(key, "utf8") };
}
