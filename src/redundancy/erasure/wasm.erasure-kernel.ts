import { type Combination, FACTOR_TABLE_BYTES } from './combination.js';
import { assertFits, ErasureKernel } from './erasure-kernel.js';

/** The part of the global that is used here: its types come only with those of a browser. */
declare const WebAssembly: {
  instantiate(module: Uint8Array<ArrayBuffer>): Promise<{ readonly instance: { readonly exports: unknown } }>;
};

/** What erasure-kernel.wat exports. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly sum: (...args: [source: number, stride: number, sources: number, out: number, length: number]) => void;
  readonly row: Row;
  readonly rows2: Row;
}

// The order is that of the WebAssembly function.
type Row = (...args: [source: number, stride: number, sources: number, tables: number, out: number, length: number]) => void;

/** The first part of the memory is for the tables of the rows of one pass, the rest for a block of each slice. */
const TABLE_BYTES = 128 * 1024;
/** Sources and outputs of a block together: with the tables they stay in a second level cache of 512 KiB. */
const STAGE_BYTES = 256 * 1024;
/** A block is a multiple of what the loops take at a time. */
const STEP_BYTES = 32;
/** Larger blocks gain nothing any more. */
const BLOCK_BYTES_MAX = 16 * 1024;
/** Between two blocks, so that what is used together does not always fall into the same few places of the first level cache. */
const GAP_BYTES = 64;

/** One pass over the sources: outputs that have room together. */
interface Pass {
  readonly combination: Combination;
  /** The first of its rows, and the one behind the last. */
  readonly first: number;
  readonly end: number;
  readonly blockBytes: number;
  /** From one block to the next. */
  readonly stride: number;
}

/**
 * SIMD in WebAssembly. Slices are copied through its small memory block by block, so that they need not lie there, and a block is still in
 * the cache when it is used.
 */
export class WasmErasureKernel extends ErasureKernel {
  override readonly name = 'wasm';
  private readonly memory: Uint8Array;

  private constructor(private readonly exports: Exports) {
    super();
    this.memory = new Uint8Array(exports.memory.buffer);
  }

  /** @throws CompileError where SIMD is unknown */
  static async from(module: Uint8Array<ArrayBuffer>): Promise<WasmErasureKernel> {
    const { instance } = await WebAssembly.instantiate(module);
    return new WasmErasureKernel(instance.exports as Exports);
  }

  override combine(combination: Combination, sources: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    assertFits(combination, sources, outputs);
    const count = sources.length;
    const perPass = Math.max(1, Math.min(outputs.length, Math.floor(TABLE_BYTES / FACTOR_TABLE_BYTES / Math.max(1, count))));
    const fitting = Math.floor((STAGE_BYTES / (count + perPass) - GAP_BYTES) / STEP_BYTES) * STEP_BYTES;
    const blockBytes = Math.min(BLOCK_BYTES_MAX, fitting);
    const stride = blockBytes + GAP_BYTES;
    for (let first = 0; first < outputs.length; first += perPass) {
      const end = Math.min(outputs.length, first + perPass);
      const tables = combination.tables.subarray(first * count * FACTOR_TABLE_BYTES, end * count * FACTOR_TABLE_BYTES);
      this.memory.set(tables, 0);
      this.run({ combination, first, end, blockBytes, stride }, sources, outputs);
    }
  }

  private run(pass: Pass, sources: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    const length = outputs[0]?.length ?? 0;
    for (let from = 0; from < length; from += pass.blockBytes) {
      const bytes = Math.min(pass.blockBytes, length - from);
      sources.forEach((source, at) => this.load(source.subarray(from, from + bytes), TABLE_BYTES + at * pass.stride, bytes));
      this.multiply(pass, Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
      for (let row = pass.first; row < pass.end; row += 1) {
        const at = TABLE_BYTES + (sources.length + row - pass.first) * pass.stride;
        (outputs[row] as Uint8Array).set(this.memory.subarray(at, at + bytes), from);
      }
    }
  }

  /** What lies behind the end of the last block is computed too, and nobody looks at it. */
  private load(piece: Uint8Array, at: number, bytes: number): void {
    this.memory.set(piece, at);
    if (piece.length < bytes) this.memory.fill(0, at + piece.length, at + bytes);
  }

  private multiply({ combination, first, end, stride }: Pass, length: number): void {
    const { rows, sources } = combination;
    for (let row = first; row < end;) {
      const tables = (row - first) * sources * FACTOR_TABLE_BYTES;
      const out = TABLE_BYTES + (sources + row - first) * stride;
      if (isSum(rows[row])) {
        this.exports.sum(TABLE_BYTES, stride, sources, out, length);
        row += 1;
      } else if (row + 1 < end) {
        this.exports.rows2(TABLE_BYTES, stride, sources, tables, out, length);
        row += 2;
      } else {
        this.exports.row(TABLE_BYTES, stride, sources, tables, out, length);
        row += 1;
      }
    }
  }
}

/** True for the first parity slice, and for any one slice that is lost while that is there: they are sums. */
function isSum(row: Uint8Array | undefined): boolean {
  return row?.every((factor) => factor === 1) ?? false;
}
