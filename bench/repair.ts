/**
 * `npm run bench:repair`: how fast a node's data is restored on the others, compared with a plain durable copy of the same files on the same disk,
 * and what requests feel of it. Options: `--mib N` (256: bytes of the node that is lost), `--idle` (no requests meanwhile), `--directory DIR`.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runLoad } from './load.ts';
import { get, idOf, put } from './requests.ts';
import { startProduct, type Subject } from './subject.ts';

const MiB = 1024 * 1024;
const NODES = 4;
const FILE_BYTES = 4 * MiB;
const SMALL_BYTES = 64 * 1024;
/** Files of a folder that are copied at once, as many as a repair has on its way. */
const COPIES = 8;

const { values } = parseArgs({
  options: {
    idle: { type: 'boolean', default: false },
    mib: { type: 'string', default: '256' },
    directory: { type: 'string', default: tmpdir() },
  },
});

interface Repair {
  readonly state: string;
  readonly done: { readonly bytes: number };
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

/** Copies all files of a folder, each synced; returns MiB a second. */
async function plainCopy(from: string, to: string): Promise<number> {
  await mkdir(to, { recursive: true });
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const began = performance.now();
  let [next, bytes] = [0, 0];
  const copyNext = async (): Promise<void> => {
    while (next < files.length) {
      const at = next++;
      const entry = files[at];
      if (entry === undefined) return;
      const content = await readFile(join(entry.parentPath, entry.name));
      const target = await open(join(to, String(at)), 'w');
      await target.write(content);
      await target.datasync();
      await target.close();
      bytes += content.length;
    }
  };
  await Promise.all(Array.from({ length: COPIES }, copyNext));
  return bytes / MiB / ((performance.now() - began) / 1000);
}

async function repairOf({ port }: Subject): Promise<Repair> {
  return (await (await fetch(`http://127.0.0.1:${port}/repair`)).json()) as Repair;
}

function p99(latencies: readonly number[]): number {
  return latencies[Math.floor(latencies.length * 0.99)] ?? NaN;
}

async function main(): Promise<void> {
  const subject = await startProduct(values.directory, {
    node_count: NODES,
    redundancy_count: 1,
    repair_after: 0,
    limits: { repair_bytes_per_second: 0, small_cache_bytes: 0 },
  });
  try {
    const total = (Number(values.mib) * MiB * NODES) / 2;
    await runLoad(subject.port, { clients: 4, operations: Math.ceil(total / FILE_BYTES) }, () => put(randomBytes(FILE_BYTES)));
    const small: string[] = [];
    const clients = { clients: 8, operations: 400 };
    await runLoad(
      subject.port,
      clients,
      () => put(randomBytes(SMALL_BYTES)),
      (answer) => small.push(idOf(answer)),
    );
    const read = (operation: number): ReturnType<typeof get> => get(small[operation % small.length] ?? '');
    const quiet = { clients: 4, operations: 2000 };
    await runLoad(subject.port, quiet, read);
    const before = p99((await runLoad(subject.port, quiet, read)).latencies);

    const lost = join(subject.storage, 'node_1');
    const copied = await plainCopy(join(lost, 'shards'), join(subject.storage, 'plain-copy'));
    await rename(lost, `${lost}-away`);
    const during: number[] = [];
    for (let hasBegun = false; ;) {
      const { latencies } = values.idle ? { latencies: [] } : await runLoad(subject.port, { clients: 4, operations: 100 }, read);
      // What requests feel of the loss of the node itself, until it is known to be down, is not what they feel of the repair.
      if (hasBegun) during.push(...latencies);
      const { state } = await repairOf(subject);
      hasBegun ||= state === 'running';
      if (hasBegun && state !== 'running') break;
      await sleep(50);
    }
    const { done, startedAt, endedAt } = await repairOf(subject);
    const seconds = (Date.parse(endedAt ?? '') - Date.parse(startedAt ?? '')) / 1000;
    const restored = done.bytes / MiB / seconds;
    const after = p99(during.sort((a, b) => a - b));
    console.log(
      '| restored MiB | MiB/s | plain copy MiB/s | ratio | p99 of 64 KiB gets before, ms | during | ratio |\n|---|---|---|---|---|---|---|',
    );
    const cells = [done.bytes / MiB, restored, copied, restored / copied, before, after, after / before];
    console.log(`| ${cells.map((cell) => cell.toFixed(2)).join(' | ')} |`);
  } finally {
    await subject.end();
  }
}

await main();
