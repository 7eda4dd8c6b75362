import { DomainError } from '../../common/errors.js';
import { align, digestOf, ROW_KINDS, type KindDigest } from './index-comparison.js';
import type { RowKind, TransferableStore } from './index-transfer.js';
import type { Engine } from './index-transit.js';

export type MovePhase = 'copying' | 'finishing' | 'comparing';

export interface MoveProgress {
  readonly phase: MovePhase;
  readonly kind: RowKind;
  /** Rows of this kind that were gone through in this phase. */
  readonly rows: number;
}

export interface MoveParts {
  readonly source: TransferableStore;
  readonly target: TransferableStore;
  readonly from: Engine;
  readonly to: Engine;
  /** Lets nothing change the source from here on; resolves when nothing does. */
  readonly hold: (signal: AbortSignal) => Promise<void>;
  readonly onProgress: (progress: MoveProgress) => void;
}

export interface MoveResult {
  readonly kinds: readonly KindDigest[];
  /** Rows that were written, in all. */
  readonly written: number;
}

/** Walks over both while the source changes are begun as long as the last one found more than so many differences, and so often at the most. */
const CAUGHT_UP = 1000;
const WALKS_MAX = 4;
/** Between the two marks nobody is in charge: that is not ended by somebody who does not wait. */
const NEVER = new AbortController().signal;

/**
 * Takes an index from one engine to the other. Each walk makes the target what the source is, and writes nothing where it is so already: so one
 * that was cut short is gone on with by beginning again, and what changed meanwhile is caught up with by one more. The last one, and the
 * comparison, come when nothing changes any more. Then the mark in the source is the commit: before it the old index is in charge, behind it
 * the new one (docs/adr/0022).
 */
export class IndexMove {
  private written = 0;
  private maybeCommitted = false;

  constructor(private readonly parts: MoveParts) {}

  /** Whether the source may have been marked as moved by now: then only its mark says who is in charge. */
  get mayBeCommitted(): boolean {
    return this.maybeCommitted;
  }

  /** @throws DomainError `migration-failed` if the two are not the same in the end; then the source is in charge as before */
  async run(signal: AbortSignal): Promise<MoveResult> {
    const { source, target, hold, to } = this.parts;
    const marked = await source.transfer.transit(signal);
    // One that has its mark may be changed yet, by a server that did not hear of it. It is let go of no more.
    this.maybeCommitted = marked !== undefined;
    for (let walk = 1, changed = Infinity; marked === undefined && walk <= WALKS_MAX && changed > CAUGHT_UP; walk += 1)
      changed = await this.align('copying', signal);
    await hold(signal);
    await source.transfer.rest();
    await this.align('finishing', signal);
    const kinds = await this.compare(signal);
    const arrival = await target.transfer.transit(signal);
    if (arrival?.state !== 'arriving')
      throw new DomainError('migration-failed', 'the mark of the new index was changed meanwhile');
    const [state] = await target.transfer.rows.state.read(undefined, signal);
    // What it has to give revisions from, it read when it was opened, and it was empty then.
    await target.raiseRevision(state?.ceiling ?? 0, signal);
    this.maybeCommitted = true;
    if (marked === undefined) await source.transfer.note({ state: 'moved', engine: to, id: arrival.id }, NEVER);
    await target.transfer.note(undefined, NEVER);
    return { kinds, written: this.written };
  }

  private async align(phase: MovePhase, signal: AbortSignal): Promise<number> {
    const { source, target } = this.parts;
    let changed = 0;
    for (const kind of ROW_KINDS)
      changed += await align(kind, source.transfer.rows, target.transfer.rows, { signal, onRows: this.counting(phase) });
    this.written += changed;
    return changed;
  }

  private async compare(signal: AbortSignal): Promise<readonly KindDigest[]> {
    const { source, target } = this.parts;
    const digests: KindDigest[] = [];
    for (const kind of ROW_KINDS) {
      const reading = { signal, onRows: this.counting('comparing') };
      const [before, after] = await Promise.all([
        digestOf(source.transfer.rows, kind, reading),
        digestOf(target.transfer.rows, kind, { signal, onRows: () => undefined }),
      ]);
      if (before.count !== after.count || before.digest !== after.digest) throw differs(before, after);
      digests.push(before);
    }
    try {
      await target.transfer.check(signal);
    } catch (cause) {
      if (cause instanceof DomainError) throw cause;
      signal.throwIfAborted();
      throw new DomainError('migration-failed', `the new index is not sound: ${(cause as Error).message}`, { cause });
    }
    return digests;
  }

  private counting(phase: MovePhase): (kind: RowKind, rows: number) => void {
    const counts = new Map<RowKind, number>();
    return (kind, rows) => {
      const sum = (counts.get(kind) ?? 0) + rows;
      counts.set(kind, sum);
      this.parts.onProgress({ phase, kind, rows: sum });
    };
  }
}

function differs(before: KindDigest, after: KindDigest): DomainError {
  const detail =
    `${before.kind}: the old index has ${before.count} rows with the digest ${before.digest}, ` +
    `the new one ${after.count} with ${after.digest}; the old one stays in charge`;
  return new DomainError('migration-failed', detail);
}
