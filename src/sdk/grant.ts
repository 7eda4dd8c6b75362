import { concat, isEqual, sha256, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import { KEY_BYTES } from './hkdf.js';
import type { Identity } from './identity.js';
import type { IdentityBundle } from './identity-bundle.js';
import { decodeKind, encodeKind, type NodeKind } from './drive-attributes.js';
import { ENCAPSULATED_BYTES, openSealedTo, sealTo } from './public-seal.js';
import { checkSigned, signed, splitSigned } from './signature.js';
import { readWriter, writeWriter, type Owner, type WriterRef, Writers } from './writers.js';

const FORMAT = 0x01;
const DOMAIN = 'dcloud/e2ee/v1/grant';
const HASH_BYTES = 32;
const RIGHTS = { read: 1, write: 2 } as const;

export type Rights = keyof typeof RIGHTS;

/** What the server sees of a grant: everything but the key. */
export interface GrantHead {
  readonly grantId: string;
  readonly nodeId: string;
  readonly kind: NodeKind;
  /** Of the node's key that is given. */
  readonly generation: number;
  readonly rights: Rights;
  readonly granter: WriterRef;
  readonly recipientId: string;
  /** The recipient's bundle that it is sealed to. */
  readonly recipientBundle: Bytes;
}

export interface Grant extends GrantHead {
  readonly nodeKey: Bytes;
  readonly hash: Bytes;
}

export type GrantDraft = Pick<GrantHead, 'grantId' | 'nodeId' | 'kind' | 'generation' | 'rights'> & { readonly nodeKey: Bytes };

/** Gives a node's key to somebody. @param recipient as pinned: to whom this bundle belongs can read from now on */
export async function makeGrant(draft: GrantDraft, granter: Identity, recipient: IdentityBundle): Promise<Bytes> {
  const by = { accountId: granter.accountId, bundleVersion: granter.version };
  const head = encodeHead({ ...draft, granter: by, recipientId: recipient.accountId, recipientBundle: recipient.hash });
  const { encapsulated, sealed } = await sealTo(recipient.sealingKey, draft.nodeKey, contextOf(head));
  return signed(DOMAIN, concat(head, encapsulated, new FieldWriter().bytes(sealed).finish()), granter.signer);
}

/** Who it must be for, with the identity whose bundle has this hash, and from. */
export interface GrantExpectation {
  readonly recipient: Identity;
  readonly recipientBundle: Bytes;
  /** Whose node it is, with the pinned keys: nobody else can share it. */
  readonly owner: Owner;
}

/**
 * Opens a grant that is for us. Nothing is mounted by it: what is shared appears only after somebody says so.
 * @throws SdkError `not-yours` if it is for somebody else, or not from the owner; `damaged`, `unsupported-format`
 */
export async function openGrant(bytes: Uint8Array, { recipient, recipientBundle, owner }: GrantExpectation): Promise<Grant> {
  const { head, encapsulated, sealed } = readGrant(bytes);
  await checkOwner(bytes, head, owner);
  const isForUs = head.recipientId === recipient.accountId && isEqual(head.recipientBundle, recipientBundle);
  if (!isForUs) throw new SdkError('not-yours');
  const nodeKey = await openSealedTo(recipient.recipient, { encapsulated, sealed }, contextOf(encodeHead(head)));
  if (nodeKey.length !== KEY_BYTES) throw new SdkError('damaged');
  return { ...head, nodeKey, hash: await sha256(bytes) };
}

/** What can be told of a grant without being whom it is for. Nothing is checked but the form. @throws SdkError `damaged`, `unsupported-format` */
export function readGrantHead(bytes: Uint8Array): GrantHead {
  return readGrant(bytes).head;
}

/** @throws SdkError `damaged` if it is not what the holder of this key signed */
export function checkGrantSignature(bytes: Uint8Array, verifyKey: Uint8Array): Promise<void> {
  return checkSigned(DOMAIN, bytes, verifyKey);
}

/**
 * Reads a grant that the owner made, as the owner: what a server adds to the list of them must not become somebody who is granted again.
 * @throws SdkError `damaged`, `not-yours` if the owner did not sign it
 */
export async function checkGrant(bytes: Uint8Array, owner: Owner): Promise<GrantHead> {
  const head = readGrantHead(bytes);
  await checkOwner(bytes, head, owner);
  return head;
}

async function checkOwner(bytes: Uint8Array, { granter }: GrantHead, owner: Owner): Promise<void> {
  await checkGrantSignature(bytes, new Writers(owner).keyOf(granter));
}

function readGrant(bytes: Uint8Array): { readonly head: GrantHead; readonly encapsulated: Bytes; readonly sealed: Bytes } {
  const reader = new FieldReader(splitSigned(bytes).body).format(FORMAT);
  const grant = { head: readHead(reader), encapsulated: reader.fixed(ENCAPSULATED_BYTES), sealed: reader.bytes() };
  reader.end();
  return grant;
}

function contextOf(head: Uint8Array): Bytes {
  return concat(new FieldWriter().text(DOMAIN).finish(), head);
}

function encodeHead(head: GrantHead): Bytes {
  const writer = new FieldWriter().u8(FORMAT).id(head.grantId).id(head.nodeId).u8(encodeKind(head.kind));
  writer.u32(head.generation).u8(RIGHTS[head.rights]);
  writeWriter(writer, head.granter);
  return writer.id(head.recipientId).fixed(head.recipientBundle).finish();
}

function readHead(reader: FieldReader): GrantHead {
  return {
    grantId: reader.id(),
    nodeId: reader.id(),
    kind: decodeKind(reader.u8()),
    generation: reader.u32(),
    rights: decodeRights(reader.u8()),
    granter: readWriter(reader),
    recipientId: reader.id(),
    recipientBundle: reader.fixed(HASH_BYTES),
  };
}

function decodeRights(byte: number): Rights {
  if (byte === RIGHTS.read) return 'read';
  if (byte === RIGHTS.write) return 'write';
  throw new SdkError('damaged');
}
