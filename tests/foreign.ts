/** Characters and tokens that tests insert into valid frames, to make invalid ones. */
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
