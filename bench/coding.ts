import { randomBytes } from 'node:crypto';
import type { ErasureKernel } from '../src/redundancy/erasure/erasure-kernel.ts';
import type { StripeShape } from '../src/redundancy/stripe-codec.ts';
import type { Turn } from './kit/trial.ts';

const dist = new URL('../dist/redundancy/erasure/', import.meta.url);
const of = <Module>(file: string): Promise<Module> => import(new URL(file, dist).href) as Promise<Module>;
const { loadErasureKernel } =
  await of<typeof import('../src/redundancy/erasure/load-erasure-kernel.js')>('load-erasure-kernel.js');
const { TableErasureKernel } =
  await of<typeof import('../src/redundancy/erasure/table.erasure-kernel.js')>('table.erasure-kernel.js');
const { ErasureCodec } = await of<typeof import('../src/redundancy/erasure/erasure.stripe-codec.js')>('erasure.stripe-codec.js');

const SLICE_BYTES = 1024 * 1024;
/** Stripes that are gone through in turn: more than a cache holds. */
const STRIPES = 8;

export const SHAPES: readonly StripeShape[] = [
  { k: 3, m: 1 },
  { k: 4, m: 2 },
  { k: 8, m: 3 },
];

/** The kernel that runs in production, and the one of plain TypeScript. */
export async function kernels(): Promise<readonly [ErasureKernel, ErasureKernel]> {
  return [await loadErasureKernel(fail), new TableErasureKernel()];
}

function fail(cause: unknown): never {
  throw new Error('the kernel in WebAssembly does not run', { cause });
}

/** What is done with one of the stripes. */
export type Coding = (stripe: number) => unknown;

/** Encoding, decoding of m lost slices, and copying of the data, each of one stripe of a shape. */
export function codingOf(kernel: ErasureKernel, shape: StripeShape): Readonly<Record<'encode' | 'decode' | 'copy', Coding>> {
  const { k, m } = shape;
  const codec = new ErasureCodec(kernel);
  const stripes = Array.from({ length: STRIPES }, () => Array.from({ length: k }, () => randomBytes(SLICE_BYTES)));
  const copies = Array.from({ length: k }, () => new Uint8Array(SLICE_BYTES));
  const coded = stripes.map((data) => [...data, ...codec.encode(data, shape)]);
  const wanted = Array.from({ length: k }, (_, index) => index);
  const left = coded.map((shards) => new Map([...shards.entries()].filter(([index]) => index >= m)));
  return {
    encode: (at) => codec.encode(stripes[at] as Uint8Array[], shape),
    decode: (at) => codec.decode(left[at] as Map<number, Uint8Array>, shape, wanted),
    copy: (at) => (stripes[at] as Uint8Array[]).forEach((slice, index) => (copies[index] as Uint8Array).set(slice)),
  };
}

/** How fast data is coded by this process. Processor time tells, so that other work on the machine takes less away from it. */
export function coded({ k }: StripeShape, ms: number, coding: Coding): Turn {
  for (let stripe = 0; stripe < STRIPES; stripe += 1) coding(stripe); // compiled by then
  const [cpuBefore, began] = [process.cpuUsage(), performance.now()];
  let operations = 0;
  while (performance.now() < began + ms) coding(operations++ % STRIPES);
  const { user, system } = process.cpuUsage(cpuBefore);
  const seconds = (performance.now() - began) / 1000;
  const bytes = operations * k * SLICE_BYTES;
  return { seconds, operations, bytes, latencies: [], cpuSeconds: (user + system) / 1e6, peakMiB: NaN };
}
