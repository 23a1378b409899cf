// Makes the package @hono-relay/client of dist, in a folder: `node scripts/release/client-package.mjs <folder>`. It has
// the same modules as hono-relay/client, and no dependencies to install.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const [folder] = process.argv.slice(2);
const { version, license, engines, keywords } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));

const protocol = join(folder, "core/protocol");
mkdirSync(protocol, { recursive: true });
cpSync(`${root}dist/client`, join(folder, "client"), { recursive: true });
cpSync(`${root}dist/core/protocol/errors.d.ts`, join(protocol, "errors.d.ts"));
// The types of frames are inferred from schemas of zod, which this package does not have. No export of it shows them.
writeFileSync(join(protocol, "json-frames.d.ts"), "export type ClientFrame = any;\nexport type RelayFrame = any;\n");
cpSync(`${root}LICENSE`, join(folder, "LICENSE"));
const readme = `# @hono-relay/client

The client library of [hono-relay](https://www.npmjs.com/package/hono-relay), the same as \`hono-relay/client\`, without
dependencies. \`docs/client.md\` in that package describes it.

\`\`\`ts
import { connect } from "@hono-relay/client";

const relay = connect("wss://relay.example.org/relay/ws");
relay.on("message", ({ from, data }) => console.log(from, data));
await relay.send("2", "hello");
\`\`\`
`;
writeFileSync(join(folder, "README.md"), readme);

const manifest = {
  name: "@hono-relay/client",
  version,
  description: "The client library of hono-relay, for browsers, Node, Deno, Bun and Workers.",
  ...{ keywords, license, type: "module", sideEffects: false, engines },
  exports: {
    ".": { types: "./client/index.d.ts", default: "./client/index.js" },
    "./package.json": "./package.json",
  },
};
writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
