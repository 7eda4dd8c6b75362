import type { Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import { assertSucceeds, type Seen } from './succession.js';
import { readWriter, writeWriter } from './writers.js';

const FORMAT = 0x01;
const HASH_BYTES = 32;
const ENTRIES_MAX = 20_000;

/** Of what: the records of nodes, the newest contents of files, lists of writers, vault documents, the account's own bundle, which node is its root. */
export type SeenKind = 'node' | 'content' | 'writers' | 'vault' | 'account' | 'root';

/** The newest state of everything that this device was shown, bounded: of too many those go that were not met for longest. */
export class SeenMemory {
  private readonly seen = new Map<string, Seen>();
  private unsaved = 0;

  /** @param onChange hears after each change how many of them are not kept yet */
  constructor(
    private readonly entriesMax = ENTRIES_MAX,
    private readonly onChange: (unsaved: number) => void = () => undefined,
  ) {}

  /** How many changes are not kept yet. */
  get changes(): number {
    return this.unsaved;
  }

  get(kind: SeenKind, id: string): Seen | undefined {
    return this.seen.get(keyOf(kind, id));
  }

  /** Refuses what is older than what is known, and remembers what is newer. @throws SdkError `rolled-back` */
  meet(kind: SeenKind, id: string, state: Seen & { readonly previousHash: Bytes }): void {
    const known = this.get(kind, id);
    assertSucceeds(known, state);
    const isNews = known?.revision !== state.revision;
    this.put(keyOf(kind, id), isNews ? state : known);
    if (isNews) this.onChange((this.unsaved += 1));
  }

  /** What is not there any more, and by the own wish. */
  forget(kind: SeenKind, id: string): void {
    if (this.seen.delete(keyOf(kind, id))) this.onChange((this.unsaved += 1));
  }

  /** The same with what another run of this device remembered meanwhile: of each the newest. */
  merge(bytes: Uint8Array): void {
    const ours = [...this.seen];
    this.seen.clear();
    for (const [key, state] of decode(bytes)) this.put(key, state);
    for (const [key, state] of ours) {
      const theirs = this.seen.get(key);
      this.put(key, theirs !== undefined && theirs.revision > state.revision ? theirs : state);
    }
  }

  /** So many changes are kept now. */
  kept(changes: number): void {
    this.unsaved -= changes;
  }

  encode(): Bytes {
    const writer = new FieldWriter().u8(FORMAT);
    return writer.list([...this.seen], ([key, state]) => writeSeen(writer.text(key), state)).finish();
  }

  private put(key: string, state: Seen): void {
    this.seen.delete(key);
    this.seen.set(key, state);
    const [oldest] = this.seen.keys();
    if (this.seen.size > this.entriesMax && oldest !== undefined) this.seen.delete(oldest);
  }
}

function keyOf(kind: SeenKind, id: string): string {
  return `${kind}/${id}`;
}

/** What is there of what may be there, as bits. */
const GENERATION = 1;
const PARENT = 2;
const WRITER = 4;

function writeSeen(writer: FieldWriter, { revision, hash, generation, parentId, parentGeneration, writer: by }: Seen): void {
  const flags =
    (generation === undefined ? 0 : GENERATION) | (parentId === undefined ? 0 : PARENT) | (by === undefined ? 0 : WRITER);
  writer.u32(revision).fixed(hash).u8(flags);
  if (generation !== undefined) writer.u32(generation);
  if (parentId !== undefined) writer.id(parentId).u32(parentGeneration ?? 0);
  if (by !== undefined) writeWriter(writer, by);
}

function decode(bytes: Uint8Array): readonly (readonly [string, Seen])[] {
  const reader = new FieldReader(bytes).format(FORMAT);
  const entries = reader.list(() => [reader.text(), readSeen(reader)] as const);
  reader.end();
  return entries;
}

function readSeen(reader: FieldReader): Seen {
  const [revision, hash, flags] = [reader.u32(), reader.fixed(HASH_BYTES), reader.u8()];
  if (flags > (GENERATION | PARENT | WRITER)) throw new SdkError('damaged');
  const generation = (flags & GENERATION) === 0 ? {} : { generation: reader.u32() };
  const parent = (flags & PARENT) === 0 ? {} : { parentId: reader.id(), parentGeneration: reader.u32() };
  const writer = (flags & WRITER) === 0 ? {} : { writer: readWriter(reader) };
  return { revision, hash, ...generation, ...parent, ...writer };
}
