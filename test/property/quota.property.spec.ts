import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newId, type FileId, type OwnerId } from '../../src/common/ids.js';
import { QuotaLedger } from '../../src/files/quota-ledger.js';
import { AccountLimits } from '../../src/http/account-limits.js';
import type { MetadataStore, StoredFile } from '../../src/metadata/metadata-store.js';

const OWNER = newId<FileId>() as string as OwnerId;
const NEVER = new AbortController().signal;

/** What the ledger asks of the index, answering late and in any order. */
class Index {
  readonly files = new Map<FileId, number>();
  worst = { bytes: 0, files: 0 };

  constructor(private readonly pause: () => Promise<void>) {}

  async usageOf(): Promise<{ bytes: number; files: number }> {
    await this.pause();
    const usage = this.sum();
    await this.pause();
    return usage;
  }

  async find(id: FileId): Promise<StoredFile | undefined> {
    await this.pause();
    const size = this.files.get(id);
    await this.pause();
    return size === undefined ? undefined : ({ file: { size } } as StoredFile);
  }

  commit(id: FileId, bytes: number): void {
    this.files.set(id, bytes);
    const { bytes: sum, files } = this.sum();
    this.worst = { bytes: Math.max(this.worst.bytes, sum), files: Math.max(this.worst.files, files) };
  }

  private sum(): { bytes: number; files: number } {
    return { bytes: [...this.files.values()].reduce((sum, size) => sum + size, 0), files: this.files.size };
  }
}

interface Upload {
  readonly bytes: number;
  readonly isAnnounced: boolean;
  /** Which of the files that were there from the beginning it replaces. */
  readonly replaces: number | undefined;
  readonly fails: boolean;
  /** Steps of the others before it begins. */
  readonly wait: number;
}

const UPLOADS = fc.array(
  fc.record<Upload>({
    bytes: fc.constantFrom(0, 1, 10, 25, 40),
    isAnnounced: fc.boolean(),
    replaces: fc.constantFrom(undefined, undefined, 0, 0, 1),
    fails: fc.constantFrom(false, false, false, true),
    wait: fc.integer({ min: 0, max: 8 }),
  }),
  { minLength: 2, maxLength: 12 },
);

const QUOTAS = fc.record({ bytes: fc.constantFrom(50, 60, 75, 90, 1000), files: fc.constantFrom(3, 4, 100) });

describe('the ledger of quotas', () => {
  it('never lets in more than fits, whatever comes at once, and keeps nothing of what has ended', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), UPLOADS, QUOTAS, async (scheduler, uploads, quota) => {
        const index = new Index(() => scheduler.schedule(Promise.resolve()));
        const old = [30, 20].map((bytes) => {
          const id = newId<FileId>();
          index.commit(id, bytes);
          return id;
        });
        const limits = new AccountLimits();
        limits.knowBy(() => ({ quota, owners: [OWNER] }));
        const ledger = new QuotaLedger(limits, index as unknown as MetadataStore);
        // One that takes its time, so that what the others leave behind would be seen.
        const slow = await scheduler.waitFor(ledger.reserve({ owner: OWNER, bytes: 0, replaces: newId<FileId>() }, NEVER));

        const upload = async ({ bytes, isAnnounced, replaces, fails, wait }: Upload): Promise<void> => {
          for (let step = 0; step < wait; step += 1) await scheduler.schedule(Promise.resolve());
          const target = replaces === undefined ? undefined : old[replaces];
          const room = await ledger.reserve({ owner: OWNER, bytes: isAnnounced ? bytes : undefined, replaces: target }, NEVER);
          try {
            for await (const piece of room.counted(pieces(bytes), NEVER)) await scheduler.schedule(Promise.resolve(piece));
            if (fails) throw new Error('the client has left');
            index.commit(target ?? newId<FileId>(), bytes);
            await scheduler.schedule(Promise.resolve());
          } finally {
            room.release();
          }
        };
        const running = Promise.allSettled(uploads.map(upload));
        await scheduler.waitFor(running);
        expect(index.worst.bytes).toBeLessThanOrEqual(quota.bytes);
        expect(index.worst.files).toBeLessThanOrEqual(quota.files);

        // All room that is not taken is there again.
        const left = quota.bytes - (await scheduler.waitFor(index.usageOf())).bytes;
        if (index.files.size < quota.files) {
          const room = await scheduler.waitFor(ledger.reserve({ owner: OWNER, bytes: left }, NEVER));
          room.release();
        }
        const more = scheduler.waitFor(ledger.reserve({ owner: OWNER, bytes: left + 1 }, NEVER));
        await expect(more).rejects.toMatchObject({ name: 'DomainError' });
        slow.release();
      }),
      { numRuns: 500 },
    );
  });
});

async function* pieces(bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let left = bytes; left > 0; left -= 7) yield await Promise.resolve(new Uint8Array(Math.min(7, left)));
}
