/** Characters of the longest id. */
export const MAX_ID_LENGTH = 64;

const ID = /^[A-Za-z0-9._~-]{1,64}$/;

/** Whether the text is valid as an id or as a room's name: 1 to 64 characters of `A-Z a-z 0-9 . _ ~ -`. */
export function isId(text: string): boolean {
  return ID.test(text);
}
