import { parseId } from '../common/ids.js';
import { fromBase64Url, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';

/** An object of JSON that a server sent: each field is looked at before it is believed. Whatever is not as it should be is `damaged`. */
export class JsonObject {
  private readonly fields: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SdkError('damaged');
    this.fields = value as Readonly<Record<string, unknown>>;
  }

  /** Whether the field is there, and not null. */
  has(name: string): boolean {
    return Object.hasOwn(this.fields, name) && this.fields[name] !== null && this.fields[name] !== undefined;
  }

  text(name: string): string {
    const value = this.own(name);
    if (typeof value !== 'string') throw new SdkError('damaged');
    return value;
  }

  /** A UUID in its one form. */
  id(name: string): string {
    return idOf(this.own(name));
  }

  ids(name: string): readonly string[] {
    return this.array(name).map(idOf);
  }

  /** A whole number of 0 or more. */
  count(name: string): number {
    const value = this.own(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new SdkError('damaged');
    return value;
  }

  flag(name: string): boolean {
    const value = this.own(name);
    if (typeof value !== 'boolean') throw new SdkError('damaged');
    return value;
  }

  time(name: string): Date {
    const time = new Date(this.text(name));
    if (Number.isNaN(time.getTime())) throw new SdkError('damaged');
    return time;
  }

  /** Base64url. */
  bytes(name: string): Bytes {
    return bytesOf(this.own(name));
  }

  bytesList(name: string): readonly Bytes[] {
    return this.array(name).map(bytesOf);
  }

  object(name: string): JsonObject {
    return new JsonObject(this.own(name));
  }

  objects(name: string): readonly JsonObject[] {
    return this.array(name).map((value) => new JsonObject(value));
  }

  private array(name: string): readonly unknown[] {
    const value = this.own(name);
    if (!Array.isArray(value)) throw new SdkError('damaged');
    return value as readonly unknown[];
  }

  private own(name: string): unknown {
    return Object.hasOwn(this.fields, name) ? this.fields[name] : undefined;
  }
}

function idOf(value: unknown): string {
  const id = typeof value === 'string' ? parseId(value) : undefined;
  if (id === undefined) throw new SdkError('damaged');
  return id;
}

function bytesOf(value: unknown): Bytes {
  const bytes = typeof value === 'string' ? fromBase64Url(value) : undefined;
  if (bytes === undefined) throw new SdkError('damaged');
  return bytes;
}
