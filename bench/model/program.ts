import { readFileSync } from 'node:fs';
import type { Program } from './formulas.ts';

type Modules = readonly (readonly [string, keyof Program])[];

const PARTS: Modules = [
  ['config/limits.js', 'LIMITS'],
  ['redundancy/layout.js', 'STRIPES_PER_PAGE'],
  ['redundancy/layout.js', 'encodeLayout'],
  ['redundancy/scheme.js', 'codingPlan'],
  ['redundancy/repair/scrub-schedule.js', 'scrubRate'],
  ['files/body-writer.js', 'INLINE_BYTES_MAX'],
  ['metadata/manifest-codec.js', 'writeManifest'],
  ['common/byte-codec.js', 'ByteWriter'],
];

/** The parts of the built program. */
export async function builtProgram(): Promise<Program> {
  const parts: Record<string, unknown> = defaultsOf(new URL('../../config/default.json', import.meta.url));
  for (const [file, name] of PARTS) {
    const module = (await import(new URL(`../../dist/${file}`, import.meta.url).href)) as Readonly<Record<string, unknown>>;
    parts[name] = module[name];
  }
  return parts as unknown as Program;
}

export function defaultsOf(file: URL | string): Pick<Program, 'sliceBytes' | 'packBelowBytes'> {
  const config = JSON.parse(readFileSync(file, 'utf8')) as { readonly size_per_slice: number; readonly pack_below: number };
  return { sliceBytes: config.size_per_slice, packBelowBytes: config.pack_below };
}
