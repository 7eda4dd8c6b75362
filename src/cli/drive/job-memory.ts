import { createHash } from 'node:crypto';
import { ifDamaged, type StateStore } from '../../sdk/state-store.js';

/** What the server keeps of an unfinished upload it keeps this long, too. */
const AGE_MS_MAX = 7 * 86_400_000;

/**
 * Remembers of a command on many files where its parts were to go, until it has ended: run again, it goes on there, although the folder that it
 * made in the meantime would give the same words another meaning.
 */
export class JobMemory {
  private constructor(
    private readonly store: StateStore,
    private readonly name: string,
    /** Where each source goes, if this command was begun before and not ended. */
    readonly begun: readonly string[] | undefined,
  ) {}

  /** @param words what makes it the same command: its name, where it runs, what was given */
  static async of(store: StateStore, words: readonly string[], now: number): Promise<JobMemory> {
    const name = `job-${createHash('sha256').update(JSON.stringify(words)).digest('hex').slice(0, 32)}`;
    // What was changed on the disk is none: the command begins as a new one.
    return new JobMemory(store, name, targetsOf(await store.get(name).catch(ifDamaged), now));
  }

  async begin(targets: readonly string[], now: number): Promise<void> {
    await this.store.set(this.name, Buffer.from(JSON.stringify({ begunAt: now, targets })));
  }

  async end(): Promise<void> {
    await this.store.delete(this.name);
  }
}

function targetsOf(bytes: Uint8Array | undefined, now: number): readonly string[] | undefined {
  if (bytes === undefined) return undefined;
  try {
    const { begunAt, targets } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { begunAt?: unknown; targets?: unknown };
    const isRecent = typeof begunAt === 'number' && Math.abs(now - begunAt) <= AGE_MS_MAX;
    const areTexts = Array.isArray(targets) && targets.every((target): target is string => typeof target === 'string');
    return isRecent && areTexts ? targets : undefined;
  } catch {
    return undefined; // as above
  }
}
