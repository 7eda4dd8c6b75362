/**
 * `npm run bench:erasure`: what the erasure code does on one core, in GB of data a second, with slices of 1 MiB that do not fit into a cache.
 * Options: `--seconds N` (1: time for each row).
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '1' } } });
const dist = new URL('../dist/redundancy/', import.meta.url);
const { loadErasureKernel } = (await import(
  new URL('erasure/load-erasure-kernel.js', dist).href
)) as typeof import('../src/redundancy/erasure/load-erasure-kernel.js');
const { TableErasureKernel } = (await import(
  new URL('erasure/table.erasure-kernel.js', dist).href
)) as typeof import('../src/redundancy/erasure/table.erasure-kernel.js');
const { ErasureCodec } = (await import(
  new URL('erasure/erasure.stripe-codec.js', dist).href
)) as typeof import('../src/redundancy/erasure/erasure.stripe-codec.js');

const SLICE_BYTES = 1024 * 1024;
const SHAPES = [
  { k: 3, m: 1 },
  { k: 4, m: 2 },
  { k: 8, m: 3 },
];
/** Stripes that are gone through in turn: more than a cache holds. */
const STRIPES = 8;

/** Seconds of processor time that this process has used. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function fail(cause: unknown): never {
  throw new Error('the kernel in WebAssembly does not run', { cause });
}

/** GB of data a second of one core; by processor time, so that other work on the machine takes less away from it. */
function speed(stripeBytes: number, work: (stripe: number) => void): number {
  for (let stripe = 0; stripe < STRIPES; stripe += 1) work(stripe); // compiled by then
  const [started, ends] = [cpuSeconds(), performance.now() + 1000 * Number(values.seconds)];
  let done = 0;
  while (performance.now() < ends) work(done++ % STRIPES);
  return (done * stripeBytes) / 1e9 / (cpuSeconds() - started);
}

console.log('| shape | kernel | encode, GB/s of data | decode of m lost, GB/s of data |\n|---|---|---|---|');
for (const kernel of [await loadErasureKernel(fail), new TableErasureKernel()]) {
  const codec = new ErasureCodec(kernel);
  for (const shape of SHAPES) {
    const { k, m } = shape;
    const stripes = Array.from({ length: STRIPES }, () => Array.from({ length: k }, () => randomBytes(SLICE_BYTES)));
    const encode = speed(k * SLICE_BYTES, (at) => codec.encode(stripes[at] as Uint8Array[], shape));
    const coded = stripes.map((data) => [...data, ...codec.encode(data, shape)]);
    const wanted = Array.from({ length: k }, (_, index) => index);
    const left = coded.map((shards) => new Map([...shards.entries()].filter(([index]) => index >= m)));
    const decode = speed(k * SLICE_BYTES, (at) => codec.decode(left[at] as Map<number, Uint8Array>, shape, wanted));
    console.log(`| ${k}+${m} | ${kernel.name} | ${encode.toFixed(2)} | ${decode.toFixed(2)} |`);
  }
}
