import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const HERE = join(process.cwd(), 'test', 'support', 'chaos');

/** Faults that can be planted into the program, to see if they are found. */
export const PLANTS = ['one-copy', 'stale-read', 'no-tombstone'] as const;
export type Plant = (typeof PLANTS)[number];

/** The environment of a process whose clock is off by what a file says, and which has a fault. */
export function preloaded(clockFile: string, plant: Plant | undefined): Readonly<Record<string, string>> {
  const modules = [join(HERE, 'clock-skew.mjs'), ...(plant === undefined ? [] : [join(HERE, 'plants', `${plant}.mjs`)])];
  return { NODE_OPTIONS: modules.map((module) => `--import=${module}`).join(' '), CHAOS_CLOCK_FILE: clockFile };
}

export async function setClock(clockFile: string, offsetMs: number): Promise<void> {
  await writeFile(clockFile, String(offsetMs));
}
