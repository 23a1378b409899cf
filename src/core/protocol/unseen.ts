/** Control characters and line separators that JSON leaves as they are. */
const UNSEEN = /[\u007f-\u009f\u2028\u2029]/g;

/** Escapes, as JSON may, what JSON leaves unescaped and a terminal would obey or take for the end of a line. */
export function escapeUnseen(json: string): string {
  return json.replace(UNSEEN, (unseen) => `\\u${unseen.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
