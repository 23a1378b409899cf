import { flagOf, readConfig } from "../../src/server/config.ts";
import { SETTINGS, type Setting, TOPICS } from "../../src/server/settings.ts";

const TABLE_HEAD = "| variable and flag | default | accepts | meaning |\n| --- | --- | --- | --- |\n";

const INTRODUCTION = `# Settings

Settings of the relay as a program of its own. Each is an environment variable, and a flag of the same name without
\`RELAY_\`: \`RELAY_HEARTBEAT_MS=2000\` or \`--heartbeat-ms 2000\`. A flag counts before its variable, and an empty
variable counts as none. A wrong setting stops the start with a sentence for each, and exit code 78. A variable
\`RELAY_…\` that is no setting is a warning in the log. \`--help\` prints them, \`--version\` (\`-V\`) the version.

Durations are in milliseconds, sizes in bytes. An app that has the relay in it passes [options](server.md#options)
instead. [The protocol](protocol.md) explains the error codes and close codes that are named here, and
[reliability](reliability.md#memory) how the memory is shared.
`;

/** A value that every setting refuses, except those that accept any text. */
const WRONG_VALUE = "/";

/** Returns the text of docs/settings.md. The accepted values come from the relay's own check of the settings. */
export function writeSettingsPage(): string {
  const settings: readonly Setting[] = Object.values(SETTINGS);
  const sections = Object.entries(TOPICS).map(([topic, heading]) => {
    const rows = settings.filter((setting) => setting.topic === topic).map(writeRow);
    return `\n## ${heading}\n\n${TABLE_HEAD}${rows.join("")}`;
  });
  return INTRODUCTION + sections.join("");
}

function writeRow(setting: Setting): string {
  const { variable, letter, description } = setting;
  const flag = flagOf(setting);
  const flags = letter === undefined ? `\`${flag}\`` : `\`${flag}\`, \`-${letter}\``;
  const otherwise = setting.default === "" ? "none" : `\`${setting.default}\``;
  const meaning = description.replaceAll("|", "\\|").replaceAll("*", "\\*");
  return `| \`${variable}\`<br>${flags} | ${otherwise} | ${acceptedBy(setting)} | ${meaning} |\n`;
}

/** Returns what the setting accepts, taken from the error for a wrong value. */
function acceptedBy({ variable, placeholder }: Setting): string {
  const result = readConfig({ [variable]: WRONG_VALUE }, []);
  const expected = result.type === "wrong" ? /expected (.*)$/.exec(result.problems.join("\n"))?.[1] : undefined;
  if (expected === undefined) return "any text";
  const unit = placeholder === "ms" || placeholder === "bytes" ? `, ${placeholder}` : "";
  return `${expected}${unit}`.replaceAll("*", "\\*");
}
