/** The services that keep contents of drives, over documents in memory: the process can die between any two changes, and begin anew. */
import { createHash, randomBytes } from 'node:crypto';
import { AccountDirectory } from '../../src/auth/account-directory.js';
import type { AccountId } from '../../src/auth/account.js';
import { newId, type FileId } from '../../src/common/ids.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { LIMITS } from '../../src/config/limits.js';
import { ContentWriter } from '../../src/drive/content-writer.js';
import { DriveAges } from '../../src/drive/drive-ages.js';
import { DriveClock } from '../../src/drive/drive-clock.js';
import { nodeKey, partKey } from '../../src/drive/drive-keys.js';
import { DriveStore } from '../../src/drive/drive-store.js';
import { DriveSweep } from '../../src/drive/drive-sweep.js';
import { DriveTidier } from '../../src/drive/drive-tidier.js';
import { NodeTurns } from '../../src/drive/node-turns.js';
import { counting, Revisions } from '../../src/drive/revisions.js';
import { decodeNode, encodeNode, type CurrentContent } from '../../src/drive/stored-node.js';
import { TreeDriveRemoval } from '../../src/drive/tree.drive-removal.js';
import { UploadGate } from '../../src/drive/upload-gate.js';
import { Uploads } from '../../src/drive/uploads.js';
import { QuotaLedger } from '../../src/files/quota-ledger.js';
import { AccountLimits } from '../../src/http/account-limits.js';
import type { MetadataStore } from '../../src/metadata/metadata-store.js';
import type { Collection, DocumentChange, NewDocument, StoredDocument } from '../../src/documents/document-store.js';
import { MemoryDocumentStore } from './memory.document-store.js';

const NO_HASH = new Uint8Array(32);

/** Documents of a process that dies when its changes are used up: from then on nothing works, until it begins anew. */
export class MortalDocuments extends MemoryDocumentStore {
  private changesLeft = Infinity;
  private isDead = false;

  /** Dies after so many more changes. */
  dieAfter(changes: number): void {
    this.changesLeft = changes;
  }

  revive(): void {
    this.changesLeft = Infinity;
    this.isDead = false;
  }

  override async place(collection: Collection, document: NewDocument, signal: AbortSignal): Promise<StoredDocument> {
    this.spend();
    return super.place(collection, document, signal);
  }

  override async replace(
    collection: Collection,
    id: FileId,
    change: DocumentChange,
    signal: AbortSignal,
  ): Promise<StoredDocument> {
    this.spend();
    return super.replace(collection, id, change, signal);
  }

  override async remove(
    collection: Collection,
    id: FileId,
    expected: StoredDocument['revision'] | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    this.spend();
    return super.remove(collection, id, expected, signal);
  }

  override async find(collection: Collection, id: FileId, signal: AbortSignal): Promise<StoredDocument | undefined> {
    if (this.isDead) throw new Error('the process is dead');
    return super.find(collection, id, signal);
  }

  private spend(): void {
    if (this.changesLeft <= 0) this.isDead = true;
    if (this.isDead) throw new Error('the process is dead');
    this.changesLeft -= 1;
  }
}

/** A content that somebody wants a file to have. */
export interface ContentWish {
  readonly revisionId?: FileId;
  readonly inline?: Uint8Array;
  readonly digests?: readonly Uint8Array[];
  readonly manifest?: Uint8Array;
}

/** One life of the process. */
export class ContentWorld {
  readonly signal = new AbortController().signal;
  readonly gate = new UploadGate();
  readonly store: DriveStore;
  readonly revisions: Revisions;
  readonly uploads: Uploads;
  readonly writer: ContentWriter;
  readonly tidier: DriveTidier;
  readonly removal: TreeDriveRemoval;
  readonly sweeper: DriveSweep;

  private constructor(
    readonly documents: MortalDocuments,
    readonly account: AccountId,
    accounts: AccountDirectory,
    limits: AccountLimits,
  ) {
    const config = { limits: LIMITS } as unknown as AppConfig;
    this.store = new DriveStore(documents, accounts, new QuotaLedger(limits, {} as MetadataStore)); // asked by quotas alone
    this.revisions = new Revisions(this.store);
    this.uploads = new Uploads(this.revisions, config);
    const ages = new DriveAges(config, new DriveClock());
    const turns = new NodeTurns();
    this.writer = new ContentWriter(this.revisions, this.uploads, this.gate, turns);
    this.tidier = new DriveTidier(turns, this.gate, this.uploads, ages);
    this.removal = new TreeDriveRemoval(this.store, this.tidier);
    this.sweeper = new DriveSweep(this.store, this.tidier, this.removal, ages);
  }

  static async make(documents = new MortalDocuments()): Promise<ContentWorld> {
    const limits = new AccountLimits();
    const accounts = new AccountDirectory({ limits: LIMITS } as unknown as AppConfig, documents, limits);
    await accounts.load(AbortSignal.timeout(1000));
    const [known] = accounts.list();
    const { id } = known ?? (await accounts.createFirst('first', AbortSignal.timeout(1000)));
    return new ContentWorld(documents, id, accounts, limits);
  }

  /** The same storage after the end of the process. */
  restart(): Promise<ContentWorld> {
    this.documents.revive();
    return ContentWorld.make(this.documents);
  }

  /** A node as it is; undefined if it is not there. */
  async node(
    id: FileId,
  ): Promise<{ readonly document: StoredDocument; readonly content: CurrentContent | undefined } | undefined> {
    const found = await this.store.find(id, this.signal);
    return found && { document: found.document, content: decodeNode(found.document.bytes).content };
  }

  async folder(parent: FileId, id = newId<FileId>()): Promise<FileId> {
    const key = nodeKey(parent, randomBytes(32));
    await this.store.create(
      this.account,
      { id, key, bytes: encodeNode({ record: randomBytes(8), content: undefined }) },
      this.signal,
    );
    return id;
  }

  /** Makes a file, or gives it its next content. */
  commit(id: FileId, parent: FileId, wish: ContentWish): Promise<void> {
    const { inline: content, digests, revisionId = newId<FileId>(), manifest = randomBytes(16) } = wish;
    return this.writer.turns.take(id, async () => {
      const node = await this.node(id);
      const revision = (node?.content?.revision ?? 0) + 1;
      const writer = { accountId: this.account, bundleVersion: 1 };
      const previousHash = Uint8Array.from(node?.content?.manifestHash ?? NO_HASH);
      const head = { nodeId: id, revisionId, generation: 1, revision, previousHash, writer };
      const next = { account: this.account, nodeId: id, manifest, head, current: node?.content, content, digests };
      const nameIt = async (current: CurrentContent): Promise<void> => {
        const bytes = encodeNode({ record: randomBytes(8), content: current });
        if (node !== undefined)
          await this.store.replace(this.account, id, { bytes, expected: node.document.revision }, this.signal);
        else await this.store.create(this.account, { id, key: nodeKey(parent, randomBytes(32)), bytes }, this.signal);
      };
      await this.writer.write({ ...next, isFor: () => true }, nameIt, this.signal);
    });
  }

  /** Stores a part, as a request does. Returns its digest; undefined if the upload takes none. */
  async part(upload: FileId, part: number, bytes: Uint8Array = randomBytes(8)): Promise<Uint8Array | undefined> {
    const entrance = this.gate.enter(upload, this.signal);
    try {
      const open = await this.uploads.find(upload, this.signal);
      if (open === undefined) return undefined;
      const digest = createHash('sha256').update(bytes).digest();
      await this.store.create(this.account, { key: partKey(open.nodeId, upload, part, digest), bytes }, this.signal);
      return digest;
    } finally {
      entrance.leave();
    }
  }

  /** All bytes of a revision, newest or older; undefined if it is not there. Fails if any part is missing. */
  async read(id: FileId, revision?: number): Promise<Buffer | undefined> {
    const node = await this.node(id);
    const known = counting(await this.revisions.heads(this.account, id, this.signal), node?.content);
    const found = known.filter(({ number }) => number === (revision ?? node?.content?.revision));
    if (found.length > 1) throw new Error('two revisions have one number');
    const read = found[0] && (await this.revisions.read(this.account, found[0], this.signal));
    if (read === undefined) return undefined;
    const { content } = read;
    if ('inline' in content) return Buffer.from(content.inline);
    const parts: Uint8Array[] = [];
    for (const part of content.parts) {
      const stored = await this.store.find(part.id, this.signal);
      if (stored === undefined) throw new Error('a part of a revision is not there');
      parts.push(stored.document.bytes);
    }
    return Buffer.concat(parts);
  }

  /** What is there, by its keys. */
  async keys(prefix = ''): Promise<readonly string[]> {
    const { heads } = await this.store.heads(this.account, { prefix, limit: 1_000_000 }, this.signal);
    return heads.map(({ key }) => key);
  }

  /** Removes a node, as a request does, and what lay in it. */
  async remove(id: FileId): Promise<void> {
    const found = await this.store.find(id, this.signal);
    if (found === undefined) return;
    await this.store.remove(this.account, id, found.document.revision, this.signal);
    await this.removal.removeBelow(this.account, id, this.signal);
  }

  /** @returns why things were left */
  async sweep(): Promise<readonly unknown[]> {
    const failures: unknown[] = [];
    await this.sweeper.sweep(this.account, (error) => failures.push(error), this.signal);
    return failures;
  }
}
