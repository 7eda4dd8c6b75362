const FIRST_BYTES = 512;
/** A number of 53 bits in groups of seven. */
const NUMBER_BYTES_MAX = 8;

/**
 * The primitives of a row of the index and of a record on a node: numbers as base-128 varints (least significant group first, up to 2^53 - 1), byte strings with their
 * length before them. Nothing is aligned and nothing is optional, so that a row is as small as what it says.
 */
export class ByteWriter {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES);
  private length = 0;

  number(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('only whole numbers up to 2^53 - 1 can be kept');
    const { buffer } = this.withRoomFor(NUMBER_BYTES_MAX);
    let rest = value;
    // Division, not shifts: those would cut the number to 32 bits.
    for (; rest >= 128; rest = Math.floor(rest / 128)) buffer[this.length++] = (rest % 128) | 128;
    buffer[this.length++] = rest;
    return this;
  }

  /** Bytes whose length the reader knows. */
  fixed(bytes: Uint8Array): this {
    this.withRoomFor(bytes.length).buffer.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  bytes(bytes: Uint8Array): this {
    return this.number(bytes.length).fixed(bytes);
  }

  text(text: string): this {
    const bytes = Buffer.byteLength(text, 'utf8');
    this.number(bytes).withRoomFor(bytes);
    this.length += this.buffer.write(text, this.length, bytes, 'utf8');
    return this;
  }

  /** What was written. The writer is done with it. */
  finish(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  private withRoomFor(bytes: number): this {
    if (this.length + bytes <= this.buffer.length) return this;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.buffer.length, this.length + bytes));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
    return this;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads what ByteWriter wrote; throws an Error where the bytes end early or say what cannot be, since a damaged row must not pass. */
export class ByteReader {
  private position = 0;

  constructor(private readonly source: Uint8Array) {}

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const group = this.source[this.position++];
      if (group === undefined) throw new Error('the bytes end early');
      value += (group % 128) * factor;
      if (!Number.isSafeInteger(value)) throw new Error('the bytes hold a number that is too large');
      if (group < 128) return value;
    }
  }

  /** A copy, so that it outlives the row's buffer. */
  fixed(length: number): Uint8Array {
    return new Uint8Array(this.view(length));
  }

  /** Bytes of the source itself, without a copy. */
  view(length: number): Uint8Array {
    const end = this.position + length;
    if (end > this.source.length) throw new Error('the bytes end early');
    const view = this.source.subarray(this.position, end);
    this.position = end;
    return view;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.source.length - this.position;
  }

  bytes(): Uint8Array {
    return this.fixed(this.number());
  }

  text(): string {
    return utf8.decode(this.view(this.number()));
  }

  /** Everything is read to its last byte: one left over means that it is not what it is taken for. */
  end(): void {
    if (this.position !== this.source.length) throw new Error('the bytes are longer than what they say');
  }
}
