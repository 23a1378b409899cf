// Checks the configurations in docs/deploy that are not run here: the Dockerfile, and the manifests for Kubernetes
// against the schemas of its API. Fails on each finding.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { installFolder } from "../install-folder.mjs";

installFolder(fileURLToPath(new URL("./", import.meta.url)), "the linters of the configurations");
const read = (name) => readFileSync(new URL(`../../docs/deploy/${name}`, import.meta.url), "utf8");
const findings = [];

const { validate } = await import("dockerfile-utils");
for (const { message, range } of validate(read("Dockerfile"))) {
  findings.push(`Dockerfile:${range.start.line + 1}: ${message}`);
}

const { parseAllDocuments } = await import("yaml");
for (const document of parseAllDocuments(read("kubernetes.yaml"), { strict: true })) {
  for (const { message } of [...document.errors, ...document.warnings]) findings.push(`kubernetes.yaml: ${message}`);
  const { apiVersion, kind, ...fields } = document.toJS();
  const { [kind]: Model } = await import(`kubernetes-models/${apiVersion}`);
  try {
    new Model(fields).validate();
  } catch (error) {
    findings.push(`kubernetes.yaml, ${kind}: ${error.message}`);
  }
}

for (const finding of findings) console.error(finding);
process.exitCode = findings.length > 0 ? 1 : 0;
