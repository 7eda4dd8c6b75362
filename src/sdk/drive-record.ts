import { isEqual, sha256, type Bytes } from './bytes.js';
import { NAME_TAG_BYTES, nameTag } from './drive-name.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import {
  decodeAttributes,
  decodeKind,
  encodeAttributes,
  encodeKind,
  type NodeAttributes,
  type NodeKind,
} from './drive-attributes.js';
import { NodeKeys } from './drive-keys.js';
import { openSeal, seal, type SealContext } from './seal.js';
import { checkSigned, signed, splitSigned, type Signer } from './signature.js';
import { readWriter, writeWriter, type WriterRef, type Writers } from './writers.js';

const FORMAT = 0x01;
const DOMAIN = 'dcloud/e2ee/v1/node';
const HASH_BYTES = 32;
/** Key, keys of earlier generations, attributes. */
const SEALED_FIELDS = 3;

/** What the server sees of a node: where it is in the tree, and who says so. */
export interface NodeHead {
  readonly nodeId: string;
  /** The folder that it lies in; of the root, the account. */
  readonly parentId: string;
  readonly kind: NodeKind;
  /** Of the node's keys. */
  readonly generation: number;
  /** Of the folder's keys that wrap this one's. */
  readonly parentGeneration: number;
  /** From 1; grows with each change of this record. */
  readonly revision: number;
  /** SHA-256 of the record before, zeros before the first. */
  readonly previousHash: Bytes;
  readonly writer: WriterRef;
}

export interface NodeRecord extends NodeHead {
  readonly nameTag: Bytes;
  readonly keys: NodeKeys;
  readonly attributes: NodeAttributes;
  readonly hash: Bytes;
}

/** What a new record is made of; kind and generations follow from it. */
export interface NodeDraft extends Pick<NodeHead, 'nodeId' | 'parentId' | 'revision' | 'previousHash' | 'writer'> {
  readonly keys: NodeKeys;
  readonly attributes: NodeAttributes;
}

/** A record that was made here: its bytes, and what opening them gives. */
export interface MadeRecord {
  readonly bytes: Bytes;
  readonly record: NodeRecord;
}

/** By what a record's key opens: the folder's keys, or the node's own, which a grant or a link gave. */
export type NodeAccess = { readonly parentKeys: NodeKeys } | { readonly nodeKey: Bytes; readonly generation: number };

export interface NodeExpectation {
  readonly nodeId: string;
  /** Absent only for a shared node, whose holder does not know the folder that it lies in. */
  readonly parentId?: string;
  readonly writers: Writers;
}

/** @throws SdkError `invalid-name` */
export async function makeNodeRecord(draft: NodeDraft, parentKeys: NodeKeys, signer: Signer): Promise<Bytes> {
  return (await makeOpenRecord(draft, parentKeys, signer)).bytes;
}

/** @throws SdkError `invalid-name` */
export async function makeOpenRecord(draft: NodeDraft, parentKeys: NodeKeys, signer: Signer): Promise<MadeRecord> {
  const { attributes, keys, nodeId, parentId, revision, previousHash, writer: by } = draft;
  const head = {
    nodeId,
    parentId,
    kind: attributes.kind,
    generation: keys.generation,
    parentGeneration: parentKeys.generation,
    revision,
    previousHash,
    writer: by,
  };
  const tag = await nameTag(parentKeys.current, attributes.name);
  const encoded = encodeAttributes(attributes);
  const writer = writeHead(head).fixed(tag);
  writer.bytes(await seal(parentKeys.current, keys.current, contextOf(head, 'node-key')));
  writer.bytes(await keys.sealFormer(nodeId));
  writer.bytes(await seal(keys.current, encoded, contextOf(head, 'attributes')));
  const bytes = await signed(DOMAIN, writer.finish(), signer);
  const record = { ...head, nameTag: tag, keys, attributes: decodeAttributes(encoded), hash: await sha256(bytes) };
  return { bytes, record };
}

/**
 * Checks who wrote a record, and opens it where it belongs and nowhere else.
 * @throws SdkError `not-yours` if nobody wrote it who may, `damaged`, `unsupported-format`
 */
export async function openNodeRecord(bytes: Uint8Array, access: NodeAccess, expected: NodeExpectation): Promise<NodeRecord> {
  const reader = new FieldReader(splitSigned(bytes).body).format(FORMAT);
  const head = readHead(reader);
  const tag = reader.fixed(NAME_TAG_BYTES);
  const [wrappedKey, former, sealedAttributes] = [reader.bytes(), reader.bytes(), reader.bytes()];
  reader.end();
  await checkSigned(DOMAIN, bytes, expected.writers.keyOf(head.writer));
  assertExpected(head, expected);
  const current = await currentKey(head, wrappedKey, access);
  const keys = await NodeKeys.open(current, head, former);
  const attributes = decodeAttributes(await openSeal(current, sealedAttributes, contextOf(head, 'attributes')));
  if (attributes.kind !== head.kind) throw new SdkError('damaged');
  if ('parentKeys' in access) await assertTag(tag, access.parentKeys.at(head.parentGeneration), attributes.name);
  return { ...head, nameTag: tag, keys, attributes, hash: await sha256(bytes) };
}

/** What the server reads of a record: its head, and the tag of the name. Nothing is checked but the form. @throws SdkError `damaged`, `unsupported-format` */
export function readNodeHead(bytes: Uint8Array): NodeHead & Pick<NodeRecord, 'nameTag'> {
  const reader = new FieldReader(splitSigned(bytes).body).format(FORMAT);
  const head = { ...readHead(reader), nameTag: reader.fixed(NAME_TAG_BYTES) };
  for (let sealed = 0; sealed < SEALED_FIELDS; sealed += 1) reader.bytes();
  reader.end();
  return head;
}

/** @throws SdkError `damaged` if it is not what the holder of this key signed */
export function checkNodeSignature(bytes: Uint8Array, verifyKey: Uint8Array): Promise<void> {
  return checkSigned(DOMAIN, bytes, verifyKey);
}

function assertExpected({ nodeId, parentId }: NodeHead, expected: NodeExpectation): void {
  const isElsewhere = nodeId !== expected.nodeId || (expected.parentId !== undefined && parentId !== expected.parentId);
  if (isElsewhere) throw new SdkError('damaged');
}

async function currentKey(head: NodeHead, wrappedKey: Uint8Array, access: NodeAccess): Promise<Bytes> {
  if ('parentKeys' in access)
    return openSeal(access.parentKeys.at(head.parentGeneration), wrappedKey, contextOf(head, 'node-key'));
  if (access.generation !== head.generation) throw new SdkError('damaged');
  return access.nodeKey;
}

/** The server keeps names apart by their tags: one that is not the name's would let two files of one name stand. */
async function assertTag(tag: Bytes, folderKey: Bytes, name: string): Promise<void> {
  if (!isEqual(tag, await nameTag(folderKey, name))) throw new SdkError('damaged');
}

function contextOf(head: NodeHead, purpose: string): SealContext {
  const { nodeId, parentId, kind, generation, parentGeneration, revision } = head;
  return { purpose, fields: [nodeId, parentId, kind, generation, parentGeneration, revision] };
}

function writeHead(head: NodeHead): FieldWriter {
  const writer = new FieldWriter().u8(FORMAT).id(head.nodeId).id(head.parentId).u8(encodeKind(head.kind));
  writer.u32(head.generation).u32(head.parentGeneration).u32(head.revision).fixed(head.previousHash);
  writeWriter(writer, head.writer);
  return writer;
}

function readHead(reader: FieldReader): NodeHead {
  return {
    nodeId: reader.id(),
    parentId: reader.id(),
    kind: decodeKind(reader.u8()),
    generation: reader.u32(),
    parentGeneration: reader.u32(),
    revision: reader.u32(),
    previousHash: reader.fixed(HASH_BYTES),
    writer: readWriter(reader),
  };
}
