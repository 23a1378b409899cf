import { defineConfig } from "vitest/config";
import { BaseSequencer, type Reporter, type TestModule, type TestSpecification } from "vitest/node";

const inCi = process.env.CI !== undefined && process.env.CI !== "";

/** Fails the run for each skipped test: a machine without Node 24 or python3-websockets proves nothing. */
const failOnSkips: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const skipped = modules.flatMap((module) => [...module.children.allTests("skipped")]);
    for (const { module, fullName } of skipped)
      console.error(`Skipped, which CI does not allow: ${module.moduleId} ${fullName}`);
    if (skipped.length > 0) process.exitCode = 1;
  },
};

/** Folders whose files take long, the longest first. Started last, one of them would run alone at the end. */
const SLOW_FOLDERS = ["/tests/chaos/", "/tests/conformance/", "/tests/package/"];

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = SLOW_FOLDERS.findIndex((folder) => moduleId.includes(folder));
      return index < 0 ? SLOW_FOLDERS.length : index;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["tests/{unit,conformance,chaos,browser,package,interop,deploy}/**/*.test.ts"],
    // Each file starts its own servers, and the suite must pass on a machine with two cores. Most files wait for
    // heartbeats and timeouts: they use half of a core.
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
    testTimeout: 30_000,
    // The first start of a runtime compiles everything.
    hookTimeout: 90_000,
    allowOnly: !inCi,
    reporters: inCi ? ["default", failOnSkips] : ["default"],
  },
});
