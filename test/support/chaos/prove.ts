import type { ViolationKind } from '../crash/violation.ts';
import type { DeedKind } from './chaos-target.ts';
import { type ChaosOutcome, ChaosRun } from './chaos-run.ts';
import { FolderTarget } from './folder-target.ts';
import type { Plant } from './preloads.ts';

export interface Proof {
  readonly plant: Plant;
  /** As what it must be found. */
  readonly kind: ViolationKind;
  readonly deeds: Readonly<Partial<Record<DeedKind, number>>>;
  readonly limits?: Readonly<Record<string, number>>;
}

const REST_MS = 60_000;

/** The faults that can be planted, and what has to be done so that they show. */
export const PROOFS: readonly Proof[] = [
  { plant: 'one-copy', kind: 'unreadable', deeds: { vanish: 1 } },
  { plant: 'stale-read', kind: 'stale', deeds: { kill: 1 } },
  {
    plant: 'no-tombstone',
    kind: 'resurrected',
    deeds: { vanish: 4, rebuild: 1 },
    // What nobody deletes from the nodes by the way is there when the index is made anew.
    limits: { collect_interval_ms: REST_MS, sweep_interval_ms: REST_MS },
  },
];

/** Runs a program with a planted fault until it is found, or until time is up. */
export function prove(
  { plant, deeds, limits = {} }: Proof,
  { seed, directory, msMax }: { readonly seed: number; readonly directory: string; readonly msMax: number },
): Promise<ChaosOutcome> {
  const config = { size_per_slice: 16_384, pack_below: 4096, log_level: 'warn', limits };
  return ChaosRun.run({
    seed,
    msMax,
    loadMsMax: 2500,
    holdMsMax: 800,
    gapMsMax: 300,
    strikeMsMax: 1000,
    directory,
    strikeKinds: ['vanish'],
    start: (parts) => FolderTarget.start({ nodes: 4, redundancy: 1, config, deeds, plant, directory: parts.directory }),
  });
}
