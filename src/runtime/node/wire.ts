/** First byte of a final frame (RFC 6455 §5.2): of a text, of a binary message, of a close frame, a ping, a pong. */
export const FIN_TEXT = 0x81;
export const FIN_BINARY = 0x82;
export const FIN_CLOSE = 0x88;
export const FIN_PING = 0x89;
export const FIN_PONG = 0x8a;

/** The bit of a frame's second byte that says that its payload is masked, and the bits that have its length. */
export const MASKED = 0x80;
export const LENGTH = 0x7f;

/** Length that stands for two bytes of length behind it. The next one stands for eight. */
export const LENGTH_16 = 126;

/** Bytes of a masking key. */
export const KEY_BYTES = 4;
