/** Names of options, as the keys of an object. */
export type OptionNames = object;

/**
 * Checks that each option is one that somebody reads: JavaScript lets pass what TypeScript refuses, and a misspelt limit limits nothing.
 *
 * @param action What cannot be done where one is not; begins the sentence.
 * @param parts The options that are objects of options themselves, each with its names.
 * @throws {TypeError} Naming the first option that is unknown, and where it belongs if that is known.
 */
export function checkOptionNames(
  action: string,
  options: object,
  names: OptionNames,
  parts: Readonly<Record<string, OptionNames>> = {},
): void {
  const home = (name: string): string => {
    if (Object.hasOwn(names, name)) return ": it belongs among the options themselves";
    const part = Object.keys(parts).find((key) => Object.hasOwn(parts[key] ?? {}, name));
    return part === undefined ? "" : `: it belongs in "${part}"`;
  };
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(names, name)) throw new TypeError(`${action}: there is no option "${name}"${home(name)}`);
  }
  for (const [part, value] of Object.entries(options)) {
    const known = parts[part];
    if (known === undefined || !isPlain(value)) continue;
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(known, name));
    if (unknown !== undefined) throw new TypeError(`${action}: "${part}" has no "${unknown}"${home(unknown)}`);
  }
}

/** Whether this is an object literal: an instance of a class may have fields of its own. */
function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
