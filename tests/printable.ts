/** Matches each line break once, of whatever kind. */
const BREAKS = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/g;

/** Returns the text as a client of `relay.v1.text` receives it (docs/protocol.md). */
export function asPrintable(text: string): string {
  const shown = (character: string): string => {
    const code = character.codePointAt(0) ?? 0;
    if (code === 0x7f) return "\u2421";
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : "\ufffd";
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the control characters are what this replaces.
  const controls = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f]/g;
  return text
    .split(BREAKS)
    .map((line) => line.replace(controls, shown))
    .join("\n\t");
}
