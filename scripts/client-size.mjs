// Prints the size of the client library as a page loads it. Fails when it is over the limit that README.md promises.
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

// "4 kB" in README.md, rounded.
const MAX_GZIP_BYTES = 4400;

const { outputFiles } = await build({
  entryPoints: ["src/client/index.ts"],
  absWorkingDir: new URL("..", import.meta.url).pathname,
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  write: false,
});
const [{ contents }] = outputFiles;
const gzipBytes = gzipSync(contents, { level: 9 }).length;
const brotliBytes = brotliCompressSync(contents).length;
console.log(`hono-relay/client: ${contents.length} bytes minified, ${gzipBytes} gzip, ${brotliBytes} brotli`);

if (gzipBytes > MAX_GZIP_BYTES) {
  console.error(`The limit is ${MAX_GZIP_BYTES} bytes of gzip: shrink the library, or raise the limit and say why.`);
  process.exit(1);
}
