import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { ROOT } from "../conformance/runtimes.ts";

test("the Dockerfile and the manifests for Kubernetes have no findings of their linters", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/lint/deploy.mjs"], { cwd: ROOT, encoding: "utf8" });
  expect(status, stderr).toBe(0);
}, 90_000);
