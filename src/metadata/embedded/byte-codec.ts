/**
 * The primitives of a row: numbers as base-128 varints (least significant group first, up to 2^53 - 1), byte strings with their
 * length before them. Nothing is aligned and nothing is optional, so that a row is as small as what it says.
 */
export class ByteWriter {
  private readonly parts: Uint8Array[] = [];

  number(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('only whole numbers up to 2^53 - 1 can be kept');
    const groups: number[] = [];
    let rest = value;
    // Division, not shifts: those would cut the number to 32 bits.
    for (; rest >= 128; rest = Math.floor(rest / 128)) groups.push((rest % 128) | 128);
    groups.push(rest);
    this.parts.push(Uint8Array.from(groups));
    return this;
  }

  /** Bytes whose length the reader knows. */
  fixed(bytes: Uint8Array): this {
    this.parts.push(bytes);
    return this;
  }

  bytes(bytes: Uint8Array): this {
    return this.number(bytes.length).fixed(bytes);
  }

  text(text: string): this {
    return this.bytes(Buffer.from(text, 'utf8'));
  }

  finish(): Uint8Array {
    return Buffer.concat(this.parts);
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
      if (group === undefined) throw new Error('a row of the index ends early');
      value += (group % 128) * factor;
      if (!Number.isSafeInteger(value)) throw new Error('a row of the index holds a number that is too large');
      if (group < 128) return value;
    }
  }

  /** A copy, so that it outlives the row's buffer. */
  fixed(length: number): Uint8Array {
    const end = this.position + length;
    if (end > this.source.length) throw new Error('a row of the index ends early');
    const copy = Uint8Array.from(this.source.subarray(this.position, end));
    this.position = end;
    return copy;
  }

  bytes(): Uint8Array {
    return this.fixed(this.number());
  }

  text(): string {
    return utf8.decode(this.bytes());
  }

  /** Every row is read to its last byte: one left over means that the row is not what it is taken for. */
  end(): void {
    if (this.position !== this.source.length) throw new Error('a row of the index is longer than what it says');
  }
}
