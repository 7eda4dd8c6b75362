import { readFile } from 'node:fs/promises';
import { packageFile } from '../../common/package-file.js';
import type { ErasureKernel } from './erasure-kernel.js';
import { TableErasureKernel } from './table.erasure-kernel.js';
import { WasmErasureKernel } from './wasm.erasure-kernel.js';

/** Made by the build from erasure-kernel.wat. */
const MODULE = 'dist/redundancy/erasure/erasure-kernel.wasm';

/**
 * The fastest kernel that runs here.
 * @param onFallback told why it is not the one in WebAssembly
 */
export async function loadErasureKernel(
  onFallback: (cause: unknown) => void,
  module: () => Promise<Uint8Array<ArrayBuffer>> = () => readFile(packageFile(MODULE)),
): Promise<ErasureKernel> {
  try {
    return await WasmErasureKernel.from(await module());
  } catch (cause) {
    onFallback(cause);
    return new TableErasureKernel(); // no SIMD, or none of WebAssembly at all: slower, and the same bytes
  }
}
