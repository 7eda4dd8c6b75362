import { idFromBytes, idToBytes, type FileId } from '../common/ids.js';
import { concatAll, fromUtf8, utf8, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';

const ID_BYTES = 16;
/** Before anything is allocated for a field, however long it says that it is. */
const FIELD_BYTES_MAX = 2 ** 24;

/** Writes the fields of a format one after the other: numbers big endian, ids as 16 bytes, everything else with its length before it. */
export class FieldWriter {
  private readonly parts: Uint8Array[] = [];

  u8(value: number): this {
    return this.number(value, 1);
  }

  u32(value: number): this {
    return this.number(value, 4);
  }

  u64(value: number): this {
    return this.number(value, 8);
  }

  /** A UUID. */
  id(id: string): this {
    return this.fixed(idToBytes(id as FileId));
  }

  /** Bytes whose number the format says. */
  fixed(bytes: Uint8Array): this {
    this.parts.push(bytes);
    return this;
  }

  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).fixed(bytes);
  }

  text(text: string): this {
    return this.bytes(utf8(text));
  }

  /** The number of items, and each of them as `write` writes it into this writer. */
  list<Item>(items: readonly Item[], write: (item: Item) => void): this {
    this.u32(items.length);
    items.forEach(write);
    return this;
  }

  finish(): Bytes {
    return concatAll(this.parts);
  }

  private number(value: number, bytes: 1 | 4 | 8): this {
    if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * bytes))
      throw new RangeError(`${value} does not fit ${bytes} bytes`);
    const encoded = new Uint8Array(bytes);
    let rest = value;
    // Division, not shifts: those would cut the number to 32 bits.
    for (let at = bytes - 1; at >= 0; at -= 1, rest = Math.floor(rest / 256)) encoded[at] = rest % 256;
    return this.fixed(encoded);
  }
}

/** Reads what FieldWriter wrote. @throws SdkError `damaged` where the bytes end early, say what cannot be, or go on */
export class FieldReader {
  private position = 0;

  constructor(private readonly source: Uint8Array) {}

  /** The version byte that every format begins with. @throws SdkError `unsupported-format`: nothing older or newer is guessed at */
  format(known: number): this {
    if (this.u8() !== known) throw new SdkError('unsupported-format');
    return this;
  }

  u8(): number {
    return this.take(1)[0] as number;
  }

  u32(): number {
    const bytes = this.take(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  }

  u64(): number {
    const bytes = this.take(8);
    const value = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
    if (!Number.isSafeInteger(value)) throw new SdkError('damaged');
    return value;
  }

  id(): string {
    const bytes = this.take(ID_BYTES);
    try {
      return idFromBytes<FileId>(bytes);
    } catch (cause) {
      throw new SdkError('damaged', { cause });
    }
  }

  /** A copy, so that it does not keep the whole alive and nobody changes it. */
  fixed(length: number): Bytes {
    return Uint8Array.from(this.take(length));
  }

  bytes(): Bytes {
    return this.fixed(this.u32());
  }

  text(): string {
    try {
      return fromUtf8(this.bytes());
    } catch (cause) {
      throw new SdkError('damaged', { cause });
    }
  }

  list<Item>(read: () => Item): readonly Item[] {
    const count = this.u32();
    const items: Item[] = [];
    // Nothing is allocated for a count that the bytes do not bear out: `read` throws at their end.
    for (let index = 0; index < count; index += 1) items.push(read());
    return items;
  }

  /** All that is left. */
  rest(): Bytes {
    return this.fixed(this.source.length - this.position);
  }

  end(): void {
    if (this.position !== this.source.length) throw new SdkError('damaged');
  }

  private take(length: number): Uint8Array {
    const end = this.position + length;
    if (length > FIELD_BYTES_MAX || end > this.source.length) throw new SdkError('damaged');
    const bytes = this.source.subarray(this.position, end);
    this.position = end;
    return bytes;
  }
}
