/**
 * `npm run bench:space`: bytes on the nodes for each byte that they have to keep, with small files, also after half of them were deleted.
 * Options: `--files N` (20000; with few, the ballast of each node, of 256 KiB, is much beside them), `--rest-ms N` (20000: so long nothing may change
 * before it counts as settled), `--directory DIR`.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runLoad } from './load.ts';
import { idOf, put } from './requests.ts';
import { startProduct, type Subject } from './subject.ts';

const FILE_BYTES = 4096;
/** What sealing adds to a file of one segment. */
const SEAL_BYTES = 32;
const REDUNDANCY = 1;
const NODES = 4;
const CLIENTS = 64;
const SETTLE_MS_MAX = 300_000;

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '20000' },
    'rest-ms': { type: 'string', default: '20000' },
    directory: { type: 'string', default: tmpdir() },
  },
});

interface Space {
  /** Apparent bytes of the files under all node folders. */
  readonly files: number;
  /** With those of the directories, as `du --apparent-size` counts. */
  readonly all: number;
}

async function spaceOf({ storage }: Subject): Promise<Space> {
  let [files, all] = [0, 0];
  for (let node = 1; node <= NODES; node += 1) {
    const folder = join(storage, `node_${node}`);
    const entries = await readdir(folder, { recursive: true });
    for (const entry of ['', ...entries]) {
      const found = await stat(join(folder, entry)).catch(() => undefined); // it may be gone by now
      all += found?.size ?? 0;
      if (found?.isFile() === true) files += found.size;
    }
  }
  return { files, all };
}

/** The space when nothing has changed for a while. */
async function settled(subject: Subject): Promise<Space> {
  const deadline = Date.now() + SETTLE_MS_MAX;
  let space = await spaceOf(subject);
  for (let restedMs = 0; restedMs < Number(values['rest-ms']) && Date.now() < deadline;) {
    await sleep(1000);
    const now = await spaceOf(subject);
    restedMs = now.all === space.all ? restedMs + 1000 : 0;
    space = now;
  }
  return space;
}

function row(what: string, files: number, space: Space): string {
  const needed = files * (FILE_BYTES + SEAL_BYTES) * (REDUNDANCY + 1);
  const over = (bytes: number): string => `${(((bytes - needed) / needed) * 100).toFixed(1)} %`;
  return `| ${what} | ${files} | ${needed} | ${space.files} | ${over(space.files)} | ${space.all} | ${over(space.all)} |`;
}

async function main(): Promise<void> {
  const subject = await startProduct(values.directory, { node_count: NODES, redundancy_count: REDUNDANCY });
  try {
    const ids: string[] = [];
    const operations = Number(values.files);
    const bodies = (): ReturnType<typeof put> => put(randomBytes(FILE_BYTES));
    await runLoad(subject.port, { clients: CLIENTS, operations }, bodies, (answer) => ids.push(idOf(answer)));
    console.log(
      '| 4 KiB files | files | sealed bytes × 2 | bytes in files | overhead | with directories | overhead |\n|---|---|---|---|---|---|---|',
    );
    console.log(row('stored', ids.length, await settled(subject)));
    const kept = ids.length - Math.floor(ids.length / 2);
    for (const url = `http://127.0.0.1:${subject.port}/files`; ids.length > kept;) {
      const [id] = ids.splice(randomInt(ids.length), 1);
      const { status } = await fetch(`${url}/${String(id)}`, { method: 'DELETE' });
      if (status !== 204) throw new Error(`a deletion was answered ${status}`);
    }
    console.log(row('half of them deleted', ids.length, await settled(subject)));
  } finally {
    await subject.end();
  }
}

await main();
