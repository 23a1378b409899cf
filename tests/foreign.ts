/** What tests put into frames that would read, to see what becomes of those that may not. */
export const FOREIGN = [
  ":",
  "#",
  '"',
  "{",
  "}",
  "[",
  "\\",
  ",",
  "null",
  "1e999",
  "\u0000",
  "\n",
  "é",
  "\ud83d",
] as const;
