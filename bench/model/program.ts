import { readFileSync } from 'node:fs';
import type { Program } from './formulas.ts';

const dist = new URL('../../dist/', import.meta.url);
const of = <Name extends keyof Program>(file: string): Promise<Pick<Program, Name>> =>
  import(new URL(file, dist).href) as Promise<Pick<Program, Name>>;

/** The parts of the built program that the model uses. */
export async function builtProgram(): Promise<Program> {
  const { LIMITS } = await of<'LIMITS'>('config/limits.js');
  const { STRIPES_PER_PAGE, encodeLayout } = await of<'STRIPES_PER_PAGE' | 'encodeLayout'>('redundancy/layout.js');
  const { codingPlan } = await of<'codingPlan'>('redundancy/scheme.js');
  const { scrubRate } = await of<'scrubRate'>('redundancy/repair/scrub-schedule.js');
  const { INLINE_BYTES_MAX } = await of<'INLINE_BYTES_MAX'>('files/body-writer.js');
  const { writeManifest } = await of<'writeManifest'>('metadata/manifest-codec.js');
  const { ByteWriter } = await of<'ByteWriter'>('common/byte-codec.js');
  return {
    ...{ LIMITS, STRIPES_PER_PAGE, encodeLayout, codingPlan, scrubRate, INLINE_BYTES_MAX, writeManifest, ByteWriter },
    ...defaultsOf(new URL('../../config/default.json', import.meta.url)),
  };
}

export function defaultsOf(file: URL | string): Pick<Program, 'sliceBytes' | 'packBelowBytes'> {
  const config = JSON.parse(readFileSync(file, 'utf8')) as { readonly size_per_slice: number; readonly pack_below: number };
  return { sliceBytes: config.size_per_slice, packBelowBytes: config.pack_below };
}
