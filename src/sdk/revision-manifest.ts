import { HEADER_BYTES } from '../crypto/floe-format.js';
import { isEqual, sha256, type Bytes } from './bytes.js';
import type { ContentIds, PartSeal, SealedContent } from './content.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import { KEY_BYTES } from './hkdf.js';
import type { NodeKeys } from './drive-keys.js';
import { assertPlan } from './part-plan.js';
import { openSeal, seal, type SealContext } from './seal.js';
import { checkSigned, signed, splitSigned, type Signer } from './signature.js';
import { readWriter, writeWriter, type WriterRef, type Writers } from './writers.js';

const FORMAT = 0x01;
const DOMAIN = 'dcloud/e2ee/v1/revision';
const HASH_BYTES = 32;

/** What the server sees of a content. */
export interface ManifestHead extends ContentIds {
  /** Of the node's key that the content's key is sealed under. */
  readonly generation: number;
  /** From 1; grows with each content of the file. */
  readonly revision: number;
  /** SHA-256 of the manifest before, zeros before the first. */
  readonly previousHash: Bytes;
  readonly writer: WriterRef;
}

export interface RevisionManifest extends ManifestHead, SealedContent {
  readonly contentKey: Bytes;
  readonly hash: Bytes;
}

export type ManifestDraft = Omit<RevisionManifest, 'hash' | 'generation'>;

/** A manifest that was made here: its bytes, and what opening them gives. */
export interface MadeManifest {
  readonly bytes: Bytes;
  readonly manifest: RevisionManifest;
}

export async function makeManifest(draft: ManifestDraft, nodeKeys: NodeKeys, signer: Signer): Promise<Bytes> {
  return (await makeOpenManifest(draft, nodeKeys, signer)).bytes;
}

export async function makeOpenManifest(draft: ManifestDraft, nodeKeys: NodeKeys, signer: Signer): Promise<MadeManifest> {
  const head = { ...draft, generation: nodeKeys.generation };
  const writer = new FieldWriter().u8(FORMAT).id(head.nodeId).id(head.revisionId);
  writer.u32(head.generation).u32(head.revision).fixed(head.previousHash);
  writeWriter(writer, head.writer);
  writer.bytes(await seal(nodeKeys.current, encodeContent(draft), contextOf(head)));
  const bytes = await signed(DOMAIN, writer.finish(), signer);
  return { bytes, manifest: { ...head, hash: await sha256(bytes) } };
}

/** What must be true of a content. */
export interface ManifestExpectation {
  readonly nodeId: string;
  readonly writers: Writers;
  /** The hash that the revision behind it names as its past, if that one was checked. */
  readonly vouched?: Bytes | undefined;
}

/**
 * Checks who wrote a content, and opens what it is made of. What a guest wrote by a list that counts here no more, for its file was moved, is believed if
 * the revision behind it vouches for it.
 * @throws SdkError `not-yours` if nobody wrote it who may, `damaged`, `unsupported-format`
 */
export async function openManifest(
  bytes: Uint8Array,
  nodeKeys: NodeKeys,
  { nodeId, writers, vouched }: ManifestExpectation,
): Promise<RevisionManifest> {
  const { sealed, ...head } = readFields(bytes);
  const hash = await sha256(bytes);
  const isVouched = !writers.isOwner(head.writer) && vouched !== undefined && isEqual(hash, vouched);
  const key = isVouched ? writers.find(head.writer) : writers.keyOf(head.writer);
  if (key !== undefined) await checkSigned(DOMAIN, bytes, key);
  if (head.nodeId !== nodeId) throw new SdkError('damaged');
  const content = decodeContent(await openSeal(nodeKeys.at(head.generation), sealed, contextOf(head)));
  return { ...head, ...content, hash };
}

/** What the server reads of a manifest. Nothing is checked but the form. @throws SdkError `damaged`, `unsupported-format` */
export function readManifestHead(bytes: Uint8Array): ManifestHead {
  const { nodeId, revisionId, generation, revision, previousHash, writer } = readFields(bytes);
  return { nodeId, revisionId, generation, revision, previousHash, writer };
}

/** @throws SdkError `damaged` if it is not what the holder of this key signed */
export function checkManifestSignature(bytes: Uint8Array, verifyKey: Uint8Array): Promise<void> {
  return checkSigned(DOMAIN, bytes, verifyKey);
}

function readFields(bytes: Uint8Array): ManifestHead & { readonly sealed: Bytes } {
  const reader = new FieldReader(splitSigned(bytes).body).format(FORMAT);
  const fields = {
    nodeId: reader.id(),
    revisionId: reader.id(),
    generation: reader.u32(),
    revision: reader.u32(),
    previousHash: reader.fixed(HASH_BYTES),
    writer: readWriter(reader),
    sealed: reader.bytes(),
  };
  reader.end();
  return fields;
}

function contextOf({ nodeId, revisionId, generation, revision }: ManifestHead): SealContext {
  return { purpose: 'revision', fields: [nodeId, revisionId, generation, revision] };
}

function encodeContent({ contentKey, trueSize, plan, parts }: ManifestDraft): Bytes {
  const writer = new FieldWriter().u8(FORMAT).fixed(contentKey).u64(trueSize).u64(plan.paddedSize).u32(plan.segmentsPerPart);
  return writer.list(parts, ({ header, digest }) => writer.fixed(header).fixed(digest)).finish();
}

function decodeContent(bytes: Uint8Array): SealedContent & { readonly contentKey: Bytes } {
  const reader = new FieldReader(bytes).format(FORMAT);
  const [contentKey, trueSize] = [reader.fixed(KEY_BYTES), reader.u64()];
  const plan = { paddedSize: reader.u64(), segmentsPerPart: reader.u32() };
  const parts = reader.list((): PartSeal => ({ header: reader.fixed(HEADER_BYTES), digest: reader.fixed(HASH_BYTES) }));
  reader.end();
  assertPlan(plan, trueSize, parts.length);
  return { contentKey, trueSize, plan, parts };
}
