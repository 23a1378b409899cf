const encoder = new TextEncoder();

/** ASCII text that many frames contain, with its bytes. */
export class FixedText {
  readonly text: string;
  readonly bytes: Uint8Array;

  constructor(text: string) {
    this.text = text;
    this.bytes = encoder.encode(text);
  }
}

/**
 * Fixed text of a frame, around the parts that differ from frame to frame. A text frame is `start`, its address,
 * `beforePayload`, its payload, `beforeNumber`, its number, `end`. A binary frame ends with its payload: it is `start`,
 * its address, `beforeNumber`, its number, `end`, its payload; its `beforePayload` is empty.
 *
 * An entry copies the encoded bytes of the fixed text, instead of encoding the whole frame each time.
 */
export class Envelope {
  readonly start: FixedText;
  readonly beforePayload: FixedText;
  readonly beforeNumber: FixedText;
  readonly end: FixedText;
  /** Bytes of all fixed text together. */
  readonly size: number;

  constructor(start: string, beforePayload: string, beforeNumber: string, end: string) {
    this.start = new FixedText(start);
    this.beforePayload = new FixedText(beforePayload);
    this.beforeNumber = new FixedText(beforeNumber);
    this.end = new FixedText(end);
    this.size = start.length + beforePayload.length + beforeNumber.length + end.length;
  }
}
