const encoder = new TextEncoder();

/** ASCII text that many frames have in common. */
export class Words {
  readonly text: string;
  readonly bytes: Uint8Array;

  constructor(text: string) {
    this.text = text;
    this.bytes = encoder.encode(text);
  }
}

/**
 * What stands around the parts that a text frame has of its own: the opening, its address, its payload, its number, the closing, with
 * words between the three. So an entry puts a frame together from bytes that are there, instead of a string that is then encoded.
 */
export class Envelope {
  readonly opening: Words;
  readonly beforePayload: Words;
  readonly beforeNumber: Words;
  readonly closing: Words;
  /** How long all of its words are. */
  readonly size: number;

  constructor(opening: string, beforePayload: string, beforeNumber: string, closing: string) {
    this.opening = new Words(opening);
    this.beforePayload = new Words(beforePayload);
    this.beforeNumber = new Words(beforeNumber);
    this.closing = new Words(closing);
    this.size = opening.length + beforePayload.length + beforeNumber.length + closing.length;
  }
}
