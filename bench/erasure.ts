/**
 * `npm run bench:erasure`: what the erasure code does on one core, in GB of data a second, with slices of 1 MiB that do not fit into a cache.
 * Options: `--seconds N` (1: time for each row).
 */
import { parseArgs } from 'node:util';
import { coded, codingOf, kernels, SHAPES } from './coding.ts';
import { unitOf } from './kit/trial.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '1' } } });
const ms = 1000 * Number(values.seconds);
const { of: speed } = unitOf('GB/s of a core');

console.log('| shape | kernel | encode, GB/s of data | decode of m lost, GB/s of data |\n|---|---|---|---|');
for (const kernel of await kernels()) {
  for (const shape of SHAPES) {
    const { encode, decode } = codingOf(kernel, shape);
    const [encoding, decoding] = [encode, decode].map((coding) => speed(coded(shape, ms, coding)).toFixed(2));
    console.log(`| ${shape.k}+${shape.m} | ${kernel.name} | ${encoding} | ${decoding} |`);
  }
}
