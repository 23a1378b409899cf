/** The package's version. `npm version` writes it; a single file that Bun or Deno compiled has no package.json. */
export const VERSION = "0.1.0";
