import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCli } from '../run-cli.ts';
import type { Random } from './random.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
export const NODES = 4;
export const REDUNDANCY = 1;
/** The least that is allowed: packs fill and are compacted all the time. */
export const PACK_BYTES_MAX = MiB;

/** What the program under test can do: the harness runs on trees of different age. */
export interface Abilities {
  readonly configKeys: ReadonlySet<string>;
  readonly limits: ReadonlySet<string>;
  /** The commands `verify` and `rebuild-index`. */
  readonly verifies: boolean;
  readonly rebuilds: boolean;
}

/** Looks at the program as it was built, without running more of it than its help. */
export async function abilities(): Promise<Abilities> {
  const limits = await readFile(join(process.cwd(), 'dist', 'config', 'limits.js'), 'utf8');
  const defaults = JSON.parse(await readFile(join(process.cwd(), 'config', 'default.json'), 'utf8')) as object;
  const { stdout } = await runCli(['--help']);
  return {
    configKeys: new Set(Object.keys(defaults)),
    limits: new Set(Array.from(limits.matchAll(/^ {4}(\w+):/gm), ([, key]) => key ?? '')),
    verifies: /^ +verify\b/m.test(stdout),
    rebuilds: /^ +rebuild-index\b/m.test(stdout),
  };
}

export interface Settings {
  readonly config: Readonly<Record<string, unknown>>;
  /** Of the large files of the load: with small slices they would take all the time there is. */
  readonly largeBytesMax: number;
}

/** The configuration of one cycle: everything that runs in the background does so all the time. */
export function settingsOf(random: Random, { configKeys, limits }: Abilities): Settings {
  const sliceBytes = random.pick([KiB, 4 * KiB, 64 * KiB, 64 * KiB, MiB]);
  const packBelow = random.pick([0, 4 * KiB, 64 * KiB, 64 * KiB, 64 * KiB]);
  const scheme = random.pick(['replicate', 'replicate', 'erasure', 'auto']);
  const wanted = {
    // With small batches a slow upload has much of its content on the nodes long before it is a file.
    batch_bytes: random.pick([64 * KiB, MiB]),
    sweep_interval_ms: random.between(20, 500),
    collect_interval_ms: random.between(50, 500),
    pack_bytes_max: PACK_BYTES_MAX,
    compact_rest_ms: random.between(50, 500),
    orphan_grace_ms: random.pick([0, 200, 1000]),
    auto_replicated_bytes_max: random.pick([64 * KiB, MiB]),
  };
  return {
    config: {
      node_count: NODES,
      redundancy_count: REDUNDANCY,
      size_per_slice: sliceBytes,
      ...(limits.has('stripe_data_slices_max') ? { redundancy_scheme: scheme } : {}),
      log_level: 'warn',
      ...(configKeys.has('pack_below') ? { pack_below: packBelow } : {}),
      limits: Object.fromEntries(Object.entries(wanted).filter(([key]) => limits.has(key))),
    },
    largeBytesMax: sliceBytes === KiB ? 300 * KiB : 3 * MiB,
  };
}
