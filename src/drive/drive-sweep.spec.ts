import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { ContentWorld } from '../../test/support/drive-contents.js';
import { newId, type FileId } from '../common/ids.js';
import { nodeKey } from './drive-keys.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WAITS_MS = [HOUR_MS / 2, 2 * HOUR_MS, 3 * DAY_MS, 8 * DAY_MS];

interface FileModel {
  readonly parent: FileId;
  /** By number, from 1. */
  readonly revisions: { readonly id: FileId; readonly bytes: Buffer }[];
}

interface UploadModel {
  readonly nodeId: FileId;
  readonly parts: Map<number, { readonly digest: Uint8Array; readonly bytes: Buffer }>;
  touchedAt: number;
}

/** What must be there. */
class Model {
  readonly folders = new Map<FileId, FileId>();
  readonly files = new Map<FileId, FileModel>();
  readonly uploads = new Map<FileId, UploadModel>();

  /** Takes a node away, and what lies in it. */
  remove(id: FileId): void {
    this.files.delete(id);
    this.folders.delete(id);
    for (const [upload, { nodeId }] of this.uploads) if (nodeId === id) this.uploads.delete(upload);
    const below = [...this.folders].filter(([, parent]) => parent === id).map(([child]) => child);
    const files = [...this.files].filter(([, { parent }]) => parent === id).map(([child]) => child);
    for (const child of [...below, ...files]) this.remove(child);
  }

  isIn(id: FileId, folder: FileId): boolean {
    for (let at: FileId | undefined = id; at !== undefined; at = this.folders.get(at)) if (at === folder) return true;
    return false;
  }
}

/** One step of a test: what to do, with which of the things that are there, and after how many changes the process dies in it. */
const step = fc.record({
  what: fc.constantFrom(
    'folder',
    'begin',
    'part',
    'part',
    'commit',
    'inline',
    'restore',
    'move',
    'remove',
    'wait',
    'sweep',
    'late',
  ),
  one: fc.nat(1000),
  other: fc.nat(1000),
  diesAfter: fc.option(fc.nat(5), { nil: Infinity, freq: 3 }),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setTimeout', 'setInterval', 'setImmediate', 'nextTick', 'queueMicrotask'] });
});

afterEach(() => {
  jest.useRealTimers();
});

/** Plays steps against the services, and keeps account of what they promised. */
class Play {
  readonly model = new Model();
  private constructor(
    public world: ContentWorld,
    private readonly root: FileId,
  ) {}

  static async begin(): Promise<Play> {
    const world = await ContentWorld.make();
    return new Play(world, await world.folder(world.account));
  }

  async step({ what, one, other, diesAfter }: Step): Promise<void> {
    this.world.documents.dieAfter(diesAfter);
    try {
      await this.play(what, one, other);
    } catch (error) {
      if (diesAfter === Infinity) throw error;
    }
    if (diesAfter === Infinity) return;
    this.world = await this.world.restart();
    await this.see();
  }

  /** What is promised: every content that was acknowledged, and all parts of uploads that are going on. */
  async check(): Promise<void> {
    for (const [id, { revisions }] of this.model.files)
      for (const [index, { bytes }] of revisions.entries()) expect(await this.world.read(id, index + 1)).toEqual(bytes);
    for (const id of this.model.folders.keys()) expect(await this.world.node(id)).toBeDefined();
    for (const [id, { nodeId, parts, touchedAt }] of this.model.uploads) {
      if (Date.now() - touchedAt >= 7 * DAY_MS) continue;
      const stored = await this.world.uploads.parts({ account: this.world.account, nodeId, id }, this.world.signal);
      const digests = new Map(stored.parts.map(({ part, digest }) => [part, Buffer.from(digest)]));
      for (const [part, { digest }] of parts) expect(digests.get(part)).toEqual(Buffer.from(digest));
    }
  }

  /** Everything that there is, if nothing was left behind. */
  expectedCount(): number {
    const revisions = [...this.model.files.values()].flatMap((file) => file.revisions);
    const parts = new Set(revisions.filter(({ id }) => this.partsOf.has(id)).map(({ id }) => id));
    const partCount = [...parts].reduce((sum, id) => sum + (this.partsOf.get(id) ?? 0), 0);
    // The first content of a file lies in its node until there is another one, unless it was uploaded.
    const kept = [...this.model.files.values()].filter(
      ({ revisions: [first, second] }) => second === undefined && !this.partsOf.has(first!.id),
    );
    return 1 + this.model.folders.size + this.model.files.size + revisions.length - kept.length + partCount;
  }

  private readonly partsOf = new Map<FileId, number>();

  private play(what: Step['what'], one: number, other: number): Promise<void> {
    return this.plays[what](one, other);
  }

  private readonly plays: Readonly<Record<Step['what'], (one: number, other: number) => Promise<void>>> = {
    folder: async (one) => {
      const [parent, id] = [this.folder(one), newId<FileId>()];
      this.pending = () => this.model.folders.set(id, parent);
      this.pendingNode = id;
      await this.world.folder(parent, id);
      this.model.folders.set(id, parent);
      this.pending = this.pendingNode = undefined;
    },
    begin: async (one, other) => {
      const { world } = this;
      const file = other % 2 === 0 ? pick(this.model.files, one)?.[0] : undefined;
      const nodeId = file ?? newId<FileId>();
      const wish = { by: world.account, parentId: file === undefined ? this.folder(one) : undefined };
      const { id } = await world.uploads.begin(world.account, nodeId, wish, world.signal);
      this.model.uploads.set(id, { nodeId, parts: new Map(), touchedAt: Date.now() });
    },
    part: async (one, other) => {
      const [id, upload] = pick(this.model.uploads, one) ?? [];
      if (id === undefined || upload === undefined) return;
      const bytes = randomBytes(4);
      upload.parts.delete(other % 3); // either of both, until it is known
      const digest = await this.world.part(id, other % 3, bytes);
      if (digest === undefined) return;
      upload.parts.set(other % 3, { digest, bytes });
      upload.touchedAt = Date.now();
    },
    commit: (one, other) => this.commitUpload(one, other),
    inline: (one, other) => {
      const id = (other % 2 === 0 ? pick(this.model.files, one)?.[0] : undefined) ?? newId<FileId>();
      return this.commit(id, this.folder(one), { id: newId<FileId>(), bytes: randomBytes(4) }, {});
    },
    restore: async (one, other) => {
      const [id, file] = pick(this.model.files, one) ?? [];
      const older = file?.revisions[other % file.revisions.length];
      if (id !== undefined && older !== undefined) await this.commit(id, this.root, older, { older: true });
    },
    move: (one, other) => this.move(one, other),
    remove: async (one) => {
      const [id] = pick(new Map<FileId, unknown>([...this.model.files, ...this.model.folders]), one) ?? [];
      if (id === undefined) return;
      this.pendingRemoval = id;
      await this.world.remove(id);
      this.pendingRemoval = undefined;
      this.model.remove(id);
    },
    wait: (one) => {
      jest.setSystemTime(Date.now() + WAITS_MS[one % WAITS_MS.length]!);
      return Promise.resolve();
    },
    sweep: async () => {
      await this.world.sweep();
    },
    // The sweep runs while something else does.
    late: async (one, other) => {
      await Promise.all([this.world.sweep(), this.play('inline', one, other)]);
    },
  };

  private async commitUpload(one: number, other: number): Promise<void> {
    const [id, upload] = pick(this.model.uploads, one) ?? [];
    if (id === undefined || upload === undefined) return;
    if (Date.now() - upload.touchedAt >= 7 * DAY_MS) return; // it may be over
    const numbers = [...upload.parts.keys()].sort();
    if (numbers.length === 0 || numbers.some((number, index) => number !== index)) return;
    const parts = numbers.map((number) => upload.parts.get(number)!);
    const bytes = Buffer.concat(parts.map((part) => part.bytes));
    this.partsOf.set(id, parts.length);
    const parent = this.model.files.get(upload.nodeId)?.parent ?? this.folder(other);
    await this.commit(upload.nodeId, parent, { id, bytes }, { digests: parts.map(({ digest }) => digest) });
  }

  private async commit(
    nodeId: FileId,
    parent: FileId,
    revision: FileModel['revisions'][number],
    { digests, older }: { readonly digests?: readonly Uint8Array[]; readonly older?: boolean },
  ): Promise<void> {
    const number = (this.model.files.get(nodeId)?.revisions.length ?? 0) + 1;
    const done = (): void => {
      const file = this.model.files.get(nodeId) ?? { parent, revisions: [] };
      this.model.files.set(nodeId, file);
      file.revisions[number - 1] = revision;
      this.model.uploads.delete(revision.id);
    };
    this.pendingCommit = { nodeId, number, done };
    const wish = digests === undefined && older !== true ? { inline: revision.bytes } : digests && { digests };
    await this.world.commit(nodeId, parent, { revisionId: revision.id, ...wish });
    this.pendingCommit = undefined;
    done();
  }

  private async move(one: number, other: number): Promise<void> {
    const { world, model } = this;
    const [id] = pick(new Map<FileId, unknown>([...model.files, ...model.folders]), one) ?? [];
    const into = this.folder(other);
    if (id === undefined || model.isIn(into, id)) return;
    const { document } = (await world.node(id))!;
    this.pendingMove = id;
    const change = { bytes: document.bytes, key: nodeKey(into, randomBytes(32)), expected: document.revision };
    await world.store.replace(world.account, id, change, world.signal);
    this.moved(id, into);
    this.pendingMove = undefined;
  }

  private moved(id: FileId, into: FileId): void {
    const file = this.model.files.get(id);
    if (file !== undefined) this.model.files.set(id, { ...file, parent: into });
    else this.model.folders.set(id, into);
  }

  private pending: (() => void) | undefined;
  private pendingNode: FileId | undefined;
  private pendingRemoval: FileId | undefined;
  private pendingMove: FileId | undefined;
  private pendingCommit: { readonly nodeId: FileId; readonly number: number; readonly done: () => void } | undefined;

  /** After a crash: whether what was under way happened, as a client finds it out. */
  private async see(): Promise<void> {
    if (this.pendingNode !== undefined && (await this.world.node(this.pendingNode)) !== undefined) this.pending?.();
    if (this.pendingRemoval !== undefined && (await this.world.node(this.pendingRemoval)) === undefined)
      this.model.remove(this.pendingRemoval);
    if (this.pendingMove !== undefined) {
      const node = await this.world.node(this.pendingMove);
      if (node !== undefined) this.moved(this.pendingMove, node.document.key.split('/')[1] as FileId);
    }
    if (this.pendingCommit !== undefined) {
      const { nodeId, number, done } = this.pendingCommit;
      if ((await this.world.node(nodeId))?.content?.revision === number) done();
    }
    this.pending = this.pendingNode = this.pendingRemoval = this.pendingMove = this.pendingCommit = undefined;
  }

  /** The root or another folder. */
  private folder(number: number): FileId {
    const all = [this.root, ...this.model.folders.keys()];
    return all[number % all.length]!;
  }
}

function pick<Key, Value>(map: ReadonlyMap<Key, Value>, number: number): [Key, Value] | undefined {
  return map.size === 0 ? undefined : [...map][number % map.size];
}

describe('the sweep, whatever happens and wherever the process dies', () => {
  it('removes nothing that somebody has, and in the end everything else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const play = await Play.begin();
        for (const each of steps) {
          await play.step(each);
          await play.check();
        }
        jest.setSystemTime(Date.now() + 8 * DAY_MS);
        expect(await play.world.sweep()).toEqual([]);
        play.model.uploads.clear();
        await play.check();
        const keys = await play.world.keys();
        expect([keys.length, keys]).toEqual([play.expectedCount(), keys]);
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
