/** The services of drives over documents in memory, and people who seal what they put there. */
import { Identities } from '../../src/accounts/identities.js';
import { Logins } from '../../src/accounts/logins.js';
import { ownerOf } from '../../src/auth/account.js';
import { AccountDirectory } from '../../src/auth/account-directory.js';
import type { FileId } from '../../src/common/ids.js';
import type { UserName } from '../../src/common/user-name.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { LIMITS } from '../../src/config/limits.js';
import { DriveCallers } from '../../src/drive/drive-callers.js';
import { DriveReach } from '../../src/drive/drive-reach.js';
import type { ContentCommits } from '../../src/drive/content-commits.js';
import { DriveStore } from '../../src/drive/drive-store.js';
import { NodeChanges } from '../../src/drive/node-changes.service.js';
import { NodeCreation } from '../../src/drive/node-creation.service.js';
import { NodeIds } from '../../src/drive/node-ids.js';
import { NodeReads } from '../../src/drive/node-reads.service.js';
import type { PlacedNode } from '../../src/drive/placed-node.js';
import { SharingLookup, type LinkedNode, type NodeSharing } from '../../src/drive/sharing-lookup.js';
import { Signers } from '../../src/drive/signers.js';
import { VaultService } from '../../src/drive/vault.service.js';
import { WriterCheck } from '../../src/drive/writer-check.js';
import { QuotaLedger } from '../../src/files/quota-ledger.js';
import { AccountLimits } from '../../src/http/account-limits.js';
import type { Principal } from '../../src/http/principal.js';
import type { MetadataStore } from '../../src/metadata/metadata-store.js';
import { sha256 } from '../../src/sdk/bytes.js';
import { NodeKeys } from '../../src/sdk/drive-keys.js';
import { makeNodeRecord, type NodeDraft } from '../../src/sdk/drive-record.js';
import { rootParentKeys } from '../../src/sdk/key-change.js';
import type { WriterRef } from '../../src/sdk/writers.js';
import { attributesOf, newPerson, NO_HASH, type Person } from './e2ee-world.js';
import { MemoryDocumentStore } from './memory.document-store.js';

/** What is shared, as a test says. */
export class FakeSharing extends SharingLookup {
  readonly nodes = new Map<string, NodeSharing>();
  readonly links = new Map<string, LinkedNode>();

  override of(_account: FileId, nodeId: FileId): Promise<NodeSharing | undefined> {
    return Promise.resolve(this.nodes.get(nodeId));
  }

  override linkedBy({ credentialId }: Principal): LinkedNode | undefined {
    return this.links.get(credentialId);
  }
}

export interface Member extends Person {
  readonly id: FileId;
  readonly principal: Principal;
}

/** A node as its maker knows it. */
export interface KnownNode {
  readonly id: FileId;
  readonly draft: NodeDraft;
  readonly record: Uint8Array;
  /** Of the folder. */
  readonly parentKeys: NodeKeys;
}

const LOGIN = { setup: new Uint8Array(8), password: 'AAAA', recovery: undefined, epoch: 0, keptSession: undefined };

export class DriveWorld {
  readonly signal = new AbortController().signal;
  readonly sharing = new FakeSharing();
  readonly removed: string[] = [];
  readonly ids = new NodeIds();
  readonly accounts: AccountDirectory;
  readonly logins: Logins;
  readonly identities: Identities;
  readonly store: DriveStore;
  readonly reach: DriveReach;
  readonly check: WriterCheck;
  readonly creation: NodeCreation;
  readonly changes: NodeChanges;
  readonly reads: NodeReads;
  readonly vault: VaultService;

  constructor(readonly documents = new MemoryDocumentStore()) {
    const limits = new AccountLimits();
    this.accounts = new AccountDirectory({ limits: LIMITS } as unknown as AppConfig, documents, limits);
    this.logins = new Logins(documents, this.accounts);
    this.identities = new Identities(this.accounts, this.logins);
    this.store = new DriveStore(documents, this.accounts, new QuotaLedger(limits, {} as MetadataStore)); // asked by quotas alone
    const callers = new DriveCallers(this.accounts);
    this.reach = new DriveReach(this.store, callers, this.sharing);
    this.check = new WriterCheck(new Signers(this.identities));
    this.creation = new NodeCreation(this.reach, this.check, {} as ContentCommits, this.ids);
    this.vault = new VaultService(this.store, callers);
    const enqueue = (_account: FileId, { nodeId }: { nodeId: string }): void => void this.removed.push(nodeId);
    const removal = { enqueue, tidySoon: () => undefined };
    this.changes = new NodeChanges(this.reach, this.check, removal, this.vault);
    this.reads = new NodeReads(this.reach);
  }

  static async make(documents?: MemoryDocumentStore): Promise<DriveWorld> {
    const world = new DriveWorld(documents);
    await world.accounts.createFirst('first', world.signal);
    return world;
  }

  async join(name: string): Promise<Member> {
    const quota = { bytes: null, files: null };
    const account = await this.accounts.create({ name, role: 'user', quota }, this.signal);
    const person = await newPerson(name, account.id);
    const bundle = { sealed: new Uint8Array(1), identity: person.bundleBytes };
    await this.logins.create(name as UserName, { ...LOGIN, account: account.id, bundle }, this.signal);
    const scopes = new Set(['read', 'write'] as const);
    const principal = { owner: ownerOf(account), scopes, prefix: '', credentialId: name, name };
    return { ...person, id: account.id, principal };
  }

  /** The record of a new folder, which nobody has sent yet. */
  async draft(
    by: Member,
    parent: KnownNode | undefined,
    { name = 'folder', writer = by.writer, id = this.ids.issue(by.id, 1)[0]! }: DraftWish = {},
  ): Promise<KnownNode> {
    const parentKeys = parent?.draft.keys ?? (await rootParentKeys(by.master));
    const draft: NodeDraft = {
      nodeId: id,
      parentId: parent?.id ?? by.id,
      revision: 1,
      previousHash: NO_HASH,
      writer,
      keys: NodeKeys.fresh(),
      attributes: attributesOf(name, 'folder'),
    };
    return { id, draft, parentKeys, record: await makeNodeRecord(draft, parentKeys, by.identity.signer) };
  }

  send(by: Pick<Member, 'principal'>, { record }: KnownNode, signal = this.signal): Promise<PlacedNode> {
    return this.creation.create(by.principal, { record, manifest: undefined, content: undefined, digests: undefined }, signal);
  }

  /** A folder that is there; without a parent the root. */
  async folder(by: Member, parent?: KnownNode, wish: DraftWish = {}): Promise<KnownNode> {
    const node = await this.draft(by, parent, wish);
    await this.send(by, node);
    return node;
  }

  /** The next record of a node, not sent yet: in another folder, under another name. */
  async next(by: Member, node: KnownNode, { into, name, writer = by.writer, ...more }: NextWish = {}): Promise<KnownNode> {
    const parentKeys = into?.draft.keys ?? node.parentKeys;
    const { draft: before } = node;
    const draft: NodeDraft = {
      ...before,
      parentId: into?.id ?? before.parentId,
      revision: before.revision + 1,
      previousHash: await sha256(node.record),
      writer,
      attributes: name === undefined ? before.attributes : attributesOf(name, 'folder'),
      ...more,
    };
    return { id: node.id, draft, parentKeys, record: await makeNodeRecord(draft, parentKeys, by.identity.signer) };
  }

  change(by: Pick<Member, 'principal'>, { id, record }: KnownNode, ifMatch = '*'): Promise<PlacedNode> {
    return this.changes.change({ principal: by.principal, id }, { record, ifMatch }, this.signal);
  }

  remove(by: Pick<Member, 'principal'>, { id }: Pick<KnownNode, 'id'>, ifMatch = '*'): Promise<void> {
    return this.changes.remove({ principal: by.principal, id }, ifMatch, this.signal);
  }
}

interface DraftWish {
  readonly name?: string;
  readonly writer?: WriterRef;
  readonly id?: FileId;
}

interface NextWish extends Partial<Pick<NodeDraft, 'revision' | 'previousHash' | 'keys'>> {
  readonly into?: KnownNode;
  readonly name?: string;
  readonly writer?: WriterRef;
}
