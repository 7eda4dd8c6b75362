import { concat, randomBytes, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import { KEY_BYTES, purposeKey } from './hkdf.js';
import { decodeKind, encodeKind, type NodeKind } from './drive-attributes.js';
import { PASSWORD_COST, assertCost, passwordBytes, type PasswordCost, type PasswordHash } from './password-cost.js';
import { openTyped, seal, type SealContext } from './seal.js';
import { VERIFY_KEY_BYTES } from './signature.js';
import type { Owner } from './writers.js';

const FORMAT = 0x01;
const SALT_BYTES = 16;
const OPEN = 0;
const WITH_PASSWORD = 1;

/** What the server sees of a link. */
export interface LinkHead {
  readonly linkId: string;
  readonly nodeId: string;
  readonly kind: NodeKind;
  readonly generation: number;
  /** Absent if the link opens without a password. */
  readonly password?: { readonly salt: Bytes; readonly cost: PasswordCost };
}

/** What a link gives: a key, and by whose signatures everything behind it counts. */
export interface LinkContent {
  readonly nodeKey: Bytes;
  readonly owner: Owner;
}

export interface LinkDraft extends Pick<LinkHead, 'linkId' | 'nodeId' | 'kind' | 'generation'>, LinkContent {
  readonly secret: Bytes;
  readonly protection?: LinkPassword;
}

/** A password for a link, and what hashes it. */
export interface LinkPassword {
  readonly password: string;
  readonly hash: PasswordHash;
}

export async function makeLink(draft: LinkDraft): Promise<Bytes> {
  const { protection, secret, nodeKey, owner } = draft;
  const head: LinkHead =
    protection === undefined ? draft : { ...draft, password: { salt: randomBytes(SALT_BYTES), cost: PASSWORD_COST } };
  const content = new FieldWriter().u8(FORMAT).fixed(nodeKey).id(owner.accountId);
  content.list([...owner.verifyKeys], ([version, key]) => content.u32(version).fixed(key));
  const sealed = await seal(await linkKey(secret, head, protection), content.finish(), contextOf(head));
  return concat(encodeHead(head), new FieldWriter().bytes(sealed).finish());
}

/** Whether a link asks for a password. @throws SdkError `damaged`, `unsupported-format`, `weak-password-cost` */
export function readLinkHead(bytes: Uint8Array): LinkHead {
  return readLink(bytes).head;
}

/**
 * @throws SdkError `wrong-key` if link or password are not the right ones, `weak-password-cost` before anything is hashed, `damaged`,
 *   `unsupported-format`
 */
export async function openLink(
  bytes: Uint8Array,
  { linkId, secret, protection }: { readonly linkId: string; readonly secret: Bytes; readonly protection?: LinkPassword },
): Promise<LinkHead & LinkContent> {
  const { head, sealed } = readLink(bytes);
  if (head.linkId !== linkId) throw new SdkError('damaged');
  const key = await linkKey(secret, head, protection);
  return { ...head, ...decodeContent(await openTyped(key, sealed, contextOf(head))) };
}

function readLink(bytes: Uint8Array): { readonly head: LinkHead; readonly sealed: Bytes } {
  const reader = new FieldReader(bytes);
  const link = { head: readHead(reader), sealed: reader.bytes() };
  reader.end();
  return link;
}

/** What is shown to the server to be given a link's record: derived of the secret, tells nothing of the key. */
export async function linkProof(secret: Bytes, linkId: string): Promise<Bytes> {
  return purposeKey(secret, 'link-auth', linkId);
}

/** @throws SdkError `wrong-key` if there should be a password and is none */
async function linkKey(secret: Bytes, { linkId, password }: LinkHead, protection: LinkPassword | undefined): Promise<Bytes> {
  if (password === undefined) return purposeKey(secret, 'link-key', linkId);
  if (protection === undefined) throw new SdkError('wrong-key');
  const hardened = await protection.hash(passwordBytes(protection.password), password.salt, password.cost);
  return purposeKey(secret, 'link-key-with-password', linkId, hardened);
}

/** Everything that the server could exchange stands in it: a link opens one node and no other. */
function contextOf(head: LinkHead): SealContext {
  return { purpose: 'link', fields: [encodeHead(head)] };
}

function encodeHead({ linkId, nodeId, kind, generation, password }: LinkHead): Bytes {
  const writer = new FieldWriter().u8(FORMAT).id(linkId).id(nodeId).u8(encodeKind(kind)).u32(generation);
  if (password === undefined) return writer.u8(OPEN).finish();
  const { memoryKib, iterations, parallelism } = password.cost;
  return writer.u8(WITH_PASSWORD).fixed(password.salt).u32(memoryKib).u32(iterations).u32(parallelism).finish();
}

function readHead(reader: FieldReader): LinkHead {
  reader.format(FORMAT);
  const head = { linkId: reader.id(), nodeId: reader.id(), kind: decodeKind(reader.u8()), generation: reader.u32() };
  const protection = reader.u8();
  if (protection === OPEN) return head;
  if (protection !== WITH_PASSWORD) throw new SdkError('damaged');
  const salt = reader.fixed(SALT_BYTES);
  const cost = { memoryKib: reader.u32(), iterations: reader.u32(), parallelism: reader.u32() };
  assertCost(cost);
  return { ...head, password: { salt, cost } };
}

function decodeContent(bytes: Uint8Array): LinkContent {
  const reader = new FieldReader(bytes).format(FORMAT);
  const [nodeKey, accountId] = [reader.fixed(KEY_BYTES), reader.id()];
  const keys = reader.list(() => [reader.u32(), reader.fixed(VERIFY_KEY_BYTES)] as const);
  reader.end();
  return { nodeKey, owner: { accountId, verifyKeys: new Map(keys) } };
}
