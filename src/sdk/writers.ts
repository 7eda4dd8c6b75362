import { sha256, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import type { Identity } from './identity.js';
import { VERIFY_KEY_BYTES, checkSigned, signed, splitSigned } from './signature.js';

const FORMAT = 0x01;
const DOMAIN = 'dcloud/e2ee/v1/writers';
const HASH_BYTES = 32;
/** In the place of a last revision: may write still. */
const STILL = 0;

/** Who signed something, with the key of which of its bundles, and by which list it may. */
export interface WriterRef {
  readonly accountId: string;
  readonly bundleVersion: number;
  /**
   * The shared node whose list names the writer, and the list's revision. The owner needs none, and names the one of now in what is shared: who
   * was removed by it cannot date back behind that.
   */
  readonly list?: { readonly nodeId: string; readonly revision: number };
}

/** One key that counts, and in which revisions of its list. */
export interface WriterEntry {
  readonly accountId: string;
  readonly bundleVersion: number;
  readonly verifyKey: Bytes;
  readonly fromRevision: number;
  /** The last one; absent while the right holds. Entries of who lost it stay, so that what they wrote before stays readable. */
  readonly toRevision?: number;
}

/** The owner of a tree with all its keys, by bundle version: from its chain of bundles, or from a link's sealed part. */
export interface Owner {
  readonly accountId: string;
  readonly verifyKeys: ReadonlyMap<number, Bytes>;
}

/** The list of who else may write to a node and everything below it, as its owner signed it. */
export interface WritersList {
  readonly nodeId: string;
  /** Of the list: grows with each change. */
  readonly revision: number;
  readonly previousHash: Bytes;
  readonly entries: readonly WriterEntry[];
}

/** @param owner signs; the list of the owner alone is none */
export async function makeWritersList(list: WritersList, owner: Identity): Promise<Bytes> {
  const writer = new FieldWriter().u8(FORMAT).id(list.nodeId).u32(list.revision).fixed(list.previousHash);
  writeWriter(writer, { accountId: owner.accountId, bundleVersion: owner.version });
  writer.list(list.entries, (entry) => {
    writer.id(entry.accountId).u32(entry.bundleVersion).fixed(entry.verifyKey);
    writer.u32(entry.fromRevision).u32(entry.toRevision ?? STILL);
  });
  return signed(DOMAIN, writer.finish(), owner.signer);
}

/** @throws SdkError `not-yours` if it is not the owner's, `damaged`, `unsupported-format` */
export async function openWritersList(
  bytes: Uint8Array,
  { nodeId, owner }: { readonly nodeId: string; readonly owner: Owner },
): Promise<WritersList & { readonly hash: Bytes }> {
  const { writer, ...list } = readWritersHead(bytes);
  await checkWritersSignature(bytes, new Writers(owner).keyOf(writer));
  if (list.nodeId !== nodeId) throw new SdkError('damaged');
  return { ...list, hash: await sha256(bytes) };
}

/** What the server reads of a list: all of it, and who signed. Nothing is checked but the form. @throws SdkError `damaged`, `unsupported-format` */
export function readWritersHead(bytes: Uint8Array): WritersList & { readonly writer: WriterRef } {
  const reader = new FieldReader(splitSigned(bytes).body).format(FORMAT);
  const list = { nodeId: reader.id(), revision: reader.u32(), previousHash: reader.fixed(HASH_BYTES) };
  const head = { ...list, writer: readWriter(reader), entries: reader.list(() => readEntry(reader)) };
  reader.end();
  return head;
}

/** @throws SdkError `damaged` if it is not what the holder of this key signed */
export function checkWritersSignature(bytes: Uint8Array, verifyKey: Uint8Array): Promise<void> {
  return checkSigned(DOMAIN, bytes, verifyKey);
}

/** Whose signatures count: the owner's always, and those that the owner's lists name. */
export class Writers {
  /** @param lists as `openWritersList` gave them: of the node in question and of the folders above it, newest revisions */
  constructor(
    private readonly owner: Owner,
    private readonly lists: readonly WritersList[] = [],
  ) {}

  /** The key to check a signature with. @throws SdkError `not-yours` if this writer may not write here */
  keyOf(writer: WriterRef): Bytes {
    const key = this.find(writer);
    if (key === undefined) throw new SdkError('not-yours');
    return key;
  }

  /** The same; undefined if this writer may not write here. */
  find(writer: WriterRef): Bytes | undefined {
    return this.isOwner(writer) ? this.owner.verifyKeys.get(writer.bundleVersion) : this.listedKey(writer, writer.list);
  }

  isOwner({ accountId }: WriterRef): boolean {
    return accountId === this.owner.accountId;
  }

  private listedKey(writer: Pick<WriterRef, 'accountId' | 'bundleVersion'>, by: WriterRef['list']): Bytes | undefined {
    if (by === undefined) return undefined;
    const list = this.lists.find(({ nodeId, revision }) => nodeId === by.nodeId && by.revision <= revision);
    return list?.entries.find(
      (entry) =>
        entry.accountId === writer.accountId &&
        entry.bundleVersion === writer.bundleVersion &&
        entry.fromRevision <= by.revision &&
        by.revision <= (entry.toRevision ?? Infinity),
    )?.verifyKey;
  }
}

const BY_NO_LIST = 0;
const BY_LIST = 1;

export function writeWriter(into: FieldWriter, { accountId, bundleVersion, list }: WriterRef): void {
  into.id(accountId).u32(bundleVersion);
  if (list === undefined) into.u8(BY_NO_LIST);
  else into.u8(BY_LIST).id(list.nodeId).u32(list.revision);
}

export function readWriter(reader: FieldReader): WriterRef {
  const writer = { accountId: reader.id(), bundleVersion: reader.u32() };
  const by = reader.u8();
  if (by === BY_NO_LIST) return writer;
  if (by !== BY_LIST) throw new SdkError('damaged');
  return { ...writer, list: { nodeId: reader.id(), revision: reader.u32() } };
}

function readEntry(reader: FieldReader): WriterEntry {
  const entry = {
    accountId: reader.id(),
    bundleVersion: reader.u32(),
    verifyKey: reader.fixed(VERIFY_KEY_BYTES),
    fromRevision: reader.u32(),
  };
  const toRevision = reader.u32();
  return toRevision === STILL ? entry : { ...entry, toRevision };
}
