import { defineConfig } from "vitest/config";

/** Tests that are too slow for each change (`npm run test:nightly`): package managers, and long runs of other tests. */
export default defineConfig({
  test: {
    root: new URL("../..", import.meta.url).pathname,
    include: [
      "tests/nightly/**/*.test.ts",
      "tests/chaos/**/*.test.ts",
      "tests/conformance/memory.test.ts",
      "tests/unit/runtime/node/frame-reader.test.ts",
    ],
    env: {
      ATTACK_SECONDS: "10",
      BUFFER_SECONDS: "30",
      CHAOS_SECONDS: "60",
      MEMORY_KINDS: "all",
      MEMORY_SECONDS: "120",
      READER_STREAMS: "1000000",
      SOAK_MINUTES: "10",
    },
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
