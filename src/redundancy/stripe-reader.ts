import { isDeepStrictEqual } from 'node:util';
import { DomainError } from '../common/errors.js';
import { mapOrdered } from '../common/map-ordered.js';
import type { Manifest } from '../metadata/metadata-store.js';
import { letGo } from '../nodes/read-bytes.js';
import { LayoutReader, type LayoutSource } from './layout-reader.js';
import { PieceJoiner } from './piece-joiner.js';
import { shardBytes } from './shard-bytes.js';
import type { StripeCodec } from './stripe-codec.js';
import { StripeAttempt } from './stripe-attempt.js';
import { type FetchParts, StripeFetch } from './stripe-fetch.js';

/** Told of each shard that is not what was put: missing or damaged. */
export type DamageListener = FetchParts['onDamage'];

/** The slices `first` to `end` of a version, `end` not included. */
export interface SliceRange {
  readonly first: number;
  readonly end: number;
}

/** What a reader works with; one set for the whole process. */
export interface ReaderParts extends FetchParts {
  readonly layouts: LayoutSource;
  readonly codec: StripeCodec;
  /** About how many bytes of data are asked for at once. */
  readonly batchBytes: number;
  readonly onDamage: DamageListener;
}

export interface ReadOptions {
  /** Batches under way at once. */
  readonly width: number;
  /** Nodes that must not be asked. */
  readonly avoid: ReadonlySet<number>;
}

interface StripesAsk {
  readonly span: SliceRange;
  readonly stripes: readonly number[];
  readonly layout: LayoutReader;
  readonly options: ReadOptions;
}

const NONE: ReadonlySet<number> = new Set();
/** Sets of nodes to leave out, at the most, when one is looked for that explains bytes which do not authenticate. */
const EXCLUSIONS_MAX = 10_000;

/** Reads slices of a version from whichever nodes have them: any k shards of each stripe will do. */
export class StripeReader {
  constructor(private readonly parts: ReaderParts) {}

  /**
   * The bytes of the slices `first` to `end` of a version; each slice is asked for once, from the node that serves best, and falls over to
   * another copy by itself. They come in pieces of whole slices, of which each is valid until the next one is asked for. Throws
   * `data-unavailable` or `data-damaged` when too few shards of a stripe are left.
   */
  async *read(
    manifest: Manifest,
    span: SliceRange,
    options: ReadOptions,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const layout = new LayoutReader(this.parts.layouts, manifest.versionId);
    const batches = mapOrdered(this.batches(manifest, span), options.width, async (stripes) => {
      const attempts = await this.attempts(manifest, { span, stripes, layout, options }, signal);
      return attempts.flatMap((attempt) => attempt.decode(this.parts.codec));
    });
    const pieces = new PieceJoiner();
    for await (const slices of batches) {
      for (const piece of pieces.join(slices)) {
        try {
          yield piece;
        } finally {
          letGo(piece); // also of the last one that was wanted
        }
      }
    }
  }

  /** The one slice of a version of one stripe; see {@link read}. */
  async only(manifest: Manifest, signal: AbortSignal): Promise<Uint8Array> {
    const layout = new LayoutReader(this.parts.layouts, manifest.versionId);
    const ask = { span: { first: 0, end: 1 }, stripes: [0], layout, options: { width: 1, avoid: NONE } };
    const [attempt] = await this.attempts(manifest, ask, signal);
    return (attempt as StripeAttempt).decode(this.parts.codec)[0] as Uint8Array;
  }

  /**
   * Other readings of the same slices, for bytes that came without an error and yet do not authenticate: some node lies, or a checksum fits
   * by chance. Each reading leaves out another set of the nodes concerned, the smallest sets first; since at most m nodes may be bad, one of
   * them has only good shards.
   */
  async *readings(
    manifest: Manifest,
    span: SliceRange,
    signal: AbortSignal,
  ): AsyncGenerator<AsyncIterable<Uint8Array>, void, undefined> {
    const layout = new LayoutReader(this.parts.layouts, manifest.versionId);
    const concerned = new Set<number>();
    for (const nodes of await layout.rows([...stripesOf(manifest, span)], signal)) for (const node of nodes) concerned.add(node);
    let tried = 0;
    for (const avoid of subsets([...concerned], manifest.m)) {
      if ((tried += 1) > EXCLUSIONS_MAX) return;
      yield this.read(manifest, span, { width: 1, avoid }, signal);
    }
  }

  /** Reads stripes; again, if too little of them is where the layout said, and the layout says something else by now: shards may be moved. */
  private async attempts(
    manifest: Manifest,
    { span, stripes, layout, options }: StripesAsk,
    signal: AbortSignal,
  ): Promise<readonly StripeAttempt[]> {
    for (let rows = await layout.rows(stripes, signal); ;) {
      const attempts = stripes.map((stripe, at) =>
        this.attempt(manifest, { span, stripe, nodes: rows[at] as readonly number[] }, options),
      );
      try {
        await this.fetch(attempts, signal);
        return attempts;
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        const before = rows;
        layout.forget();
        rows = await layout.rows(stripes, signal);
        if (isDeepStrictEqual(before, rows)) throw error;
      }
    }
  }

  private *batches(manifest: Manifest, span: SliceRange): Generator<readonly number[], void, undefined> {
    const perBatch = Math.max(1, Math.floor(this.parts.batchBytes / (manifest.sliceBytes * manifest.k)));
    let batch: number[] = [];
    for (const stripe of stripesOf(manifest, span)) {
      batch.push(stripe);
      if (batch.length < perBatch) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  private attempt(
    manifest: Manifest,
    { span, stripe, nodes }: { readonly span: SliceRange; readonly stripe: number; readonly nodes: readonly number[] },
    { avoid }: ReadOptions,
  ): StripeAttempt {
    const { k, m, versionId } = manifest;
    const lengthOf = (index: number): number => shardBytes(manifest, { stripe, index });
    const first = Math.max(0, span.first - stripe * k);
    const end = Math.min(k, span.end - stripe * k);
    const wanted: number[] = [];
    for (let index = first; index < end; index += 1) wanted.push(index);
    return new StripeAttempt({ versionId, stripe, nodes, shape: { k, m }, wanted, lengthOf, avoid });
  }

  private fetch(attempts: readonly StripeAttempt[], signal: AbortSignal): Promise<void> {
    return new StripeFetch(this.parts, attempts, signal).run();
  }
}

function* stripesOf({ k }: Manifest, { first, end }: SliceRange): Generator<number, void, undefined> {
  for (let stripe = Math.floor(first / k); stripe * k < end; stripe += 1) yield stripe;
}

/** All subsets of 1 to `sizeMax` of the items, the small ones first. */
function* subsets(items: readonly number[], sizeMax: number): Generator<ReadonlySet<number>, void, undefined> {
  for (let size = 1; size <= Math.min(sizeMax, items.length); size += 1) yield* combinations(items, size);
}

function* combinations(items: readonly number[], size: number): Generator<ReadonlySet<number>, void, undefined> {
  if (size === 0) yield new Set();
  else {
    for (const [at, item] of items.entries()) {
      for (const rest of combinations(items.slice(at + 1), size - 1)) yield new Set([item, ...rest]);
    }
  }
}
