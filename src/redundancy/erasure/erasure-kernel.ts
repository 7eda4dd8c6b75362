import type { Combination } from './combination.js';

/** The one loop that takes time: sums of multiples of whole slices. Two implementations give the same bytes. */
export abstract class ErasureKernel {
  abstract readonly name: 'wasm' | 'table';

  /**
   * Fills the outputs, which are all of one length. A source that is shorter counts as if zeros followed; one that is longer is refused.
   * @param outputs share no memory with the sources
   */
  abstract combine(combination: Combination, sources: readonly Uint8Array[], outputs: readonly Uint8Array[]): void;
}

/** @throws RangeError if sources and outputs do not fit the combination, or each other */
export function assertFits(
  { rows, sources: count }: Combination,
  sources: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
): void {
  const length = outputs[0]?.length ?? 0;
  if (rows.length !== outputs.length || count !== sources.length)
    throw new RangeError(`${count} sources make ${rows.length} outputs, not ${sources.length} ${outputs.length}`);
  if (outputs.some((output) => output.length !== length)) throw new RangeError('all outputs have one length');
  if (sources.some((source) => source.length > length)) throw new RangeError(`a source is longer than ${length} bytes`);
}
