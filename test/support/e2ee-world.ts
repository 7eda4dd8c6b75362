/** People, keys and a small tree for tests of the sealed formats, and what a malicious server does to bytes. */
import { v7 } from 'uuid';
import { newMasterKey, type MasterKey } from '../../src/sdk/account-keys.js';
import { concat, randomBytes, type Bytes } from '../../src/sdk/bytes.js';
import { partAt, planParts } from '../../src/sdk/part-plan.js';
import { sealPart, type ContentCipher, type SealedContent, type SealedPart } from '../../src/sdk/content.js';
import type { NodeAttributes, NodeKind } from '../../src/sdk/drive-attributes.js';
import { NodeKeys } from '../../src/sdk/drive-keys.js';
import { makeNodeRecord, openNodeRecord, type NodeRecord } from '../../src/sdk/drive-record.js';
import { SdkError, type SdkErrorKind } from '../../src/sdk/errors.js';
import { makeBundle, openBundle, type IdentityBundle } from '../../src/sdk/identity-bundle.js';
import { identityOf, newIdentitySeeds, type Identity, type IdentitySeeds } from '../../src/sdk/identity.js';
import { rootParentKeys } from '../../src/sdk/key-change.js';
import { makeManifest } from '../../src/sdk/revision-manifest.js';
import { openSeal } from '../../src/sdk/seal.js';
import { webFloe } from '../../src/sdk/web-floe-back-end.js';
import { Writers, type Owner, type WriterRef, type WritersList } from '../../src/sdk/writers.js';

export const NO_HASH: Bytes = new Uint8Array(32);
export const newUuid = (): string => v7();

export interface Person {
  readonly master: MasterKey;
  readonly seeds: IdentitySeeds;
  readonly identity: Identity;
  readonly bundleBytes: Bytes;
  readonly bundle: IdentityBundle;
  readonly owner: Owner;
  readonly writer: WriterRef;
}

export async function newPerson(userName: string, accountId: string = newUuid()): Promise<Person> {
  const seeds = newIdentitySeeds();
  const identity = await identityOf(seeds, { accountId, version: 1 });
  const bundleBytes = await makeBundle(identity, userName);
  const bundle = await openBundle(bundleBytes);
  const owner = { accountId, verifyKeys: new Map([[1, bundle.verifyKey]]) };
  return {
    master: newMasterKey(accountId),
    seeds,
    identity,
    bundleBytes,
    bundle,
    owner,
    writer: { accountId, bundleVersion: 1 },
  };
}

export function attributesOf(name: string, kind: NodeKind): NodeAttributes {
  return {
    name,
    kind,
    createdAt: 1_700_000_000_000,
    modifiedAt: 1_700_000_000_001,
    mediaType: kind === 'file' ? 'text/plain' : '',
  };
}

export interface StoredNode {
  readonly bytes: Bytes;
  readonly record: NodeRecord;
  readonly parentKeys: NodeKeys;
  readonly parentId: string;
}

/** A node that `by` makes in a folder of `owner`. */
export async function addNode(
  owner: Person,
  parent: { readonly nodeId: string; readonly keys: NodeKeys },
  attributes: NodeAttributes,
): Promise<StoredNode> {
  const ids = { nodeId: newUuid(), parentId: parent.nodeId };
  const draft = { ...ids, revision: 1, previousHash: NO_HASH, writer: owner.writer, keys: NodeKeys.fresh(), attributes };
  const bytes = await makeNodeRecord(draft, parent.keys, owner.identity.signer);
  const expected = { ...ids, writers: new Writers(owner.owner) };
  const record = await openNodeRecord(bytes, { parentKeys: parent.keys }, expected);
  return { bytes, record, parentKeys: parent.keys, parentId: parent.nodeId };
}

export async function addRoot(owner: Person): Promise<StoredNode> {
  return addNode(
    owner,
    { nodeId: owner.master.accountId, keys: await rootParentKeys(owner.master) },
    attributesOf('Drive', 'folder'),
  );
}

export function writersOf(owner: Person, ...lists: readonly WritersList[]): Writers {
  return new Writers(owner.owner, lists);
}

/** Opens a node where it belongs. */
export function reopen(node: StoredNode, bytes: Uint8Array, writers: Writers): Promise<NodeRecord> {
  const expected = { nodeId: node.record.nodeId, parentId: node.parentId, writers };
  return openNodeRecord(bytes, { parentKeys: node.parentKeys }, expected);
}

export interface StoredContent {
  readonly cipher: ContentCipher;
  readonly content: SealedContent;
  readonly sealed: readonly SealedPart[];
  readonly manifest: Bytes;
}

/** Seals a content whole, as an upload does. */
export async function addContent(
  owner: Person,
  node: NodeRecord,
  plain: Uint8Array,
  given: { revision?: number; previousHash?: Bytes; contentKey?: Bytes; segmentsPerPart?: number } = {},
): Promise<StoredContent> {
  const ids = { nodeId: node.nodeId, revisionId: newUuid() };
  const cipher = { ids, contentKey: given.contentKey ?? randomBytes(32), floe: webFloe };
  const planned = planParts(plain.length);
  const plan = { ...planned, segmentsPerPart: given.segmentsPerPart ?? planned.segmentsPerPart };
  const sealed = await sealAll(cipher, plain, plan);
  const content = { plan, trueSize: plain.length, parts: sealed };
  const { revision = 1, previousHash = NO_HASH } = given;
  const draft = { ...ids, ...content, contentKey: cipher.contentKey, revision, previousHash, writer: owner.writer };
  return { cipher, content, sealed, manifest: await makeManifest(draft, node.keys, owner.identity.signer) };
}

async function sealAll(cipher: ContentCipher, plain: Uint8Array, plan: SealedContent['plan']): Promise<readonly SealedPart[]> {
  const sealed: SealedPart[] = [];
  const partBytes = plan.segmentsPerPart * 65_504;
  for (let part = 0; part * partBytes < Math.max(1, plan.paddedSize); part += 1) {
    const span = partAt(plan, part);
    const source = stream(plain.subarray(span.plain.from, Math.min(span.plain.to, plain.length)));
    sealed.push(await sealPart(cipher, span, { source, trueSize: plain.length }));
  }
  return sealed;
}

/** What a server tries that takes the proof for the key: behind 39 bytes of head and the seal's length lies the seal. */
export function openLinkWith(key: Bytes, link: Bytes): Promise<Bytes> {
  return openSeal(key, link.subarray(43), { purpose: 'link', fields: [link.subarray(0, 39)] });
}

export async function* stream(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

/** The bytes with one bit turned. */
export function flipped(bytes: Uint8Array, at: number, bit = 0): Bytes {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 1 << bit;
  return copy;
}

/** The bytes with those at an offset replaced. */
export function spliced(bytes: Uint8Array, at: number, by: Uint8Array): Bytes {
  return concat(bytes.subarray(0, at), by, bytes.subarray(at + by.length));
}

/** What a call fails with; undefined if it does not fail. An error of another kind than ours is one of the program. */
export async function failureOf(call: Promise<unknown> | (() => unknown)): Promise<SdkErrorKind | undefined> {
  try {
    await (typeof call === 'function' ? call() : call);
    return undefined;
  } catch (error) {
    if (error instanceof SdkError) return error.kind;
    throw error;
  }
}
