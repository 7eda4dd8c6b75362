/** How nodes are shared and linked to, over documents in memory, and what owners sign and seal for that. */
import { AttemptLimiter } from '../../src/auth/attempt-limiter.js';
import type { FileId } from '../../src/common/ids.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { LIMITS } from '../../src/config/limits.js';
import type { SeenNode } from '../../src/drive/drive-reach.js';
import { LinkCredentials } from '../../src/drive/link-credentials.js';
import { LinkDocuments } from '../../src/drive/link-documents.js';
import { LinkGuard } from '../../src/drive/link-guard.js';
import { LinkOpening, type OpenedLink } from '../../src/drive/link-opening.service.js';
import { LinksService, type LinkWish } from '../../src/drive/links.service.js';
import { SharedNodes } from '../../src/drive/shared-nodes.service.js';
import { SharedWith } from '../../src/drive/shared-with.js';
import { SharingCheck } from '../../src/drive/sharing-check.js';
import { SharingDocuments } from '../../src/drive/sharing-documents.js';
import { SharingService, type NodeShares } from '../../src/drive/sharing.service.js';
import { Signers } from '../../src/drive/signers.js';
import type { StoredSharing } from '../../src/drive/stored-sharing.js';
import { StoredSharingLookup } from '../../src/drive/stored.sharing-lookup.js';
import { sha256 } from '../../src/sdk/bytes.js';
import { makeGrant, type GrantDraft, type Rights } from '../../src/sdk/grant.js';
import { linkProof, makeLink } from '../../src/sdk/link.js';
import { newLinkSecret } from '../../src/sdk/link-url.js';
import { makeWritersList, readWritersHead, type WriterEntry } from '../../src/sdk/writers.js';
import { DriveWorld, type KnownNode, type Member } from './drive-world.js';
import { newUuid, NO_HASH, type Person } from './e2ee-world.js';
import { MemoryDocumentStore } from './memory.document-store.js';

/** A node as far as it takes to share it. */
export type Shareable = Pick<KnownNode['draft'], 'nodeId' | 'keys' | 'attributes'>;

export function writes({ bundle }: Person, fromRevision: number, toRevision?: number): WriterEntry {
  const { accountId, version: bundleVersion, verifyKey } = bundle;
  return { accountId, bundleVersion, verifyKey, fromRevision, ...(toRevision !== undefined && { toRevision }) };
}

/** The list that follows another one; the first without one. */
export async function listOf(
  owner: Person,
  { nodeId }: Pick<Shareable, 'nodeId'>,
  entries: readonly WriterEntry[],
  before?: Uint8Array,
): Promise<Uint8Array> {
  const revision = before === undefined ? 1 : readWritersHead(before).revision + 1;
  const previousHash = before === undefined ? NO_HASH : await sha256(before);
  return makeWritersList({ nodeId, revision, previousHash, entries }, owner.identity);
}

export function grantOf(
  owner: Person,
  node: Shareable,
  { to, rights = 'read', ...more }: { to: Person; rights?: Rights } & Partial<GrantDraft>,
): Promise<Uint8Array> {
  const { keys, attributes, nodeId } = node;
  const { generation, current: nodeKey } = keys;
  const draft = { grantId: newUuid(), nodeId, kind: attributes.kind, generation, rights, nodeKey, ...more };
  return makeGrant(draft, owner.identity, to.bundle);
}

export interface MadeLink extends LinkWish {
  readonly proof: Uint8Array;
}

export async function linkTo(
  owner: Person,
  { nodeId, keys, attributes: { kind } }: Shareable,
  linkId: string,
  limits: Partial<Pick<LinkWish, 'expiresAt' | 'usesMax'>> = {},
): Promise<MadeLink> {
  const secret = newLinkSecret();
  const { generation, current: nodeKey } = keys;
  const link = await makeLink({ linkId, nodeId, kind, generation, nodeKey, owner: owner.owner, secret });
  const proof = await linkProof(secret, linkId);
  const wish = { expiresAt: undefined, usesMax: undefined, ...limits };
  return { ...wish, linkId: linkId as FileId, link, proof, proofHash: await sha256(proof) };
}

function wishOf({ linkId, link, proofHash, expiresAt, usesMax }: LinkWish): LinkWish {
  return { linkId, link, proofHash, expiresAt, usesMax };
}

export class SharingWorld {
  readonly shared: SharingDocuments;
  readonly credentials: LinkCredentials;
  readonly sharing: SharingService;
  readonly sharedNodes: SharedNodes;
  readonly links: LinksService;
  readonly opening: LinkOpening;
  readonly linkDocuments: LinkDocuments;

  private constructor(
    readonly documents: MemoryDocumentStore,
    readonly drive: DriveWorld,
  ) {
    const { store, reach, accounts, identities, ids } = drive;
    this.shared = new SharingDocuments(store);
    this.credentials = new LinkCredentials(accounts);
    const lookup = new StoredSharingLookup(this.shared, this.credentials);
    drive.sharing.of = (account, nodeId) => lookup.of(account, nodeId, drive.signal);
    drive.sharing.linkedBy = (principal) => lookup.linkedBy(principal);
    const notes = new SharedWith(documents);
    this.sharing = new SharingService(reach, this.shared, new SharingCheck(new Signers(identities)), notes);
    this.sharedNodes = new SharedNodes(reach, this.shared, notes);
    this.linkDocuments = new LinkDocuments(store);
    this.links = new LinksService(reach, ids, this.linkDocuments, this.credentials);
    const limits = { ...LIMITS, failed_attempts_max: 5 };
    const guard = new LinkGuard(accounts, new AttemptLimiter({ limits } as unknown as AppConfig));
    this.opening = new LinkOpening(this.linkDocuments, this.credentials, reach, guard);
  }

  static async make(): Promise<SharingWorld> {
    const documents = new MemoryDocumentStore();
    return new SharingWorld(documents, await DriveWorld.make(documents));
  }

  put(by: Member, { id }: KnownNode, wish: StoredSharing, ifMatch?: string): Promise<NodeShares> {
    return this.sharing.put({ principal: by.principal, id }, { ...wish, ifMatch }, this.drive.signal);
  }

  own(by: Member, { id }: KnownNode): Promise<SeenNode> {
    return this.sharing.own(by.principal, id, this.drive.signal);
  }

  /** A link that is there. */
  async link(by: Member, node: KnownNode, limits: Parameters<typeof linkTo>[3] = {}): Promise<MadeLink> {
    const link = await linkTo(by, node.draft, this.drive.ids.issue(by.id, 1)[0]!, limits);
    await this.links.make(await this.own(by, node), wishOf(link), this.drive.signal);
    return link;
  }

  open({ linkId, proof }: Pick<MadeLink, 'linkId' | 'proof'>, address = '192.0.2.1'): Promise<OpenedLink> {
    return this.opening.open({ linkId, proof, address }, this.drive.signal);
  }
}
