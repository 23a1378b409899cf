import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../conformance/runtimes.ts";

const UPSTREAM = "https://registry.npmjs.org";

export interface Packed {
  readonly file: string;
  /** The paths that the tarball holds, without `package/`. */
  readonly paths: readonly string[];
}

/** Packs the repository as it would be published. `dist` is built already, and other tests are running it. */
export async function pack(folder: string): Promise<Packed> {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await promisify(execFile)("npm", args, { cwd: ROOT });
  const [packed] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
  if (packed === undefined) throw new Error("npm pack made nothing");
  return { file: join(folder, packed.filename), paths: packed.files.map(({ path }) => path) };
}

export interface Registry {
  readonly url: string;
  close(): void;
}

/** A package registry on loopback. It has the tarball as `hono-relay`, and passes other requests on to npm's own. */
export async function startRegistry(tarball: string): Promise<Registry> {
  const bytes = await readFile(tarball);
  const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { name: string; version: string };
  const { name, version } = manifest;
  const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  const server = createServer(({ url = "/" }, response) => {
    const origin = `http://127.0.0.1:${port}`;
    if (url === `/${name}`) {
      const dist = { tarball: `${origin}/${name}/-/${name}-${version}.tgz`, integrity };
      const versions = { [version]: { ...manifest, dist } };
      const time = { created: "2026-01-01T00:00:00.000Z", [version]: "2026-01-01T00:00:00.000Z" };
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ name, "dist-tags": { latest: version }, versions, time }));
    } else if (url.endsWith(".tgz") && url.startsWith(`/${name}/-/`)) {
      response.end(bytes);
    } else {
      response.writeHead(307, { Location: `${UPSTREAM}${url}` }).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // A server that listens on TCP has such an address.
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
