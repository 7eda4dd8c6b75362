import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A shard's file, by what its name tells (docs/format.md). */
export interface ShardFile {
  readonly path: string;
  readonly versionId: string;
  readonly stripe: number;
  readonly index: number;
}

/** All files under a directory; those that vanish while it is walked are left out. */
export async function filesUnder(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Every file in the shard directories of all nodes under a storage directory: shards, and temporary files of shards. */
export async function shardPaths(storage: string): Promise<readonly string[]> {
  return (await filesUnder(storage)).filter((path) => /\/node_\d+\/shards\//.test(path));
}

/** The shards of one version on all nodes. */
export async function shardsOf(storage: string, versionId: string): Promise<readonly ShardFile[]> {
  const found: ShardFile[] = [];
  for (const path of await shardPaths(storage)) {
    const [, version, stripe, index] = /\/([0-9a-f]{32})-([0-9a-f]+)-(\d+)$/.exec(path) ?? [];
    if (version !== versionId.replaceAll('-', '')) continue;
    found.push({ path, versionId, stripe: Number.parseInt(stripe ?? '', 16), index: Number(index) });
  }
  return found;
}

/**
 * The forms in which a text, or bytes, could lie somewhere without being sealed: as they are, in UTF-16, in hexadecimal, and in base64 in each of its
 * three alignments.
 */
export function formsOf(plain: string | Uint8Array): readonly Buffer[] {
  const raw = Buffer.from(plain as string);
  const base64 = [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), raw]).toString('base64');
    // The first and last characters depend on the neighbours too.
    return encoded.slice(shift === 0 ? 0 : 4, Math.floor((shift + raw.length) / 3) * 4);
  });
  const texts = [raw.toString('hex'), raw.toString('hex').toUpperCase(), ...base64, ...base64.map(toUrlAlphabet)];
  const utf16 = typeof plain === 'string' ? [Buffer.from(plain, 'utf16le'), Buffer.from(plain, 'utf16le').swap16()] : [];
  return [raw, ...utf16, ...texts.map((form) => Buffer.from(form))];
}

function toUrlAlphabet(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_');
}

/** A file of a server that runs; empty if it has vanished since it was listed. */
export async function readIfThere(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return Buffer.alloc(0);
  });
}

/** Files under a directory that hold a text in any of its plain forms, or have it in their path. */
export async function filesHolding(directory: string, text: string): Promise<readonly string[]> {
  const forms = formsOf(text);
  const found: string[] = [];
  for (const path of await filesUnder(directory)) {
    const bytes = Buffer.concat([Buffer.from(path), Buffer.alloc(1), await readIfThere(path)]);
    if (forms.some((form) => bytes.includes(form))) found.push(path);
  }
  return found;
}

/** Bytes of all files under a directory, as `du --apparent-size` counts them but without directories. */
export async function bytesUnder(directory: string): Promise<number> {
  let bytes = 0;
  for (const path of await filesUnder(directory)) bytes += (await stat(path).catch(() => undefined))?.size ?? 0;
  return bytes;
}

/** What a server makes and removes by itself while it runs: the probe's file, and the ballast of a node. */
const OF_A_RUNNING_SERVER = /\/(?:probe\.temp|ballast(?:\.temp)?)$/;

/** The files under a directory without those that a running server makes and removes by itself; sorted. */
export async function lastingFilesUnder(directory: string): Promise<readonly string[]> {
  return (await filesUnder(directory)).filter((path) => !OF_A_RUNNING_SERVER.test(path)).toSorted();
}

/** Every file under a directory with the digest of its bytes: two of these are equal if nothing was changed in between. */
export async function snapshot(directory: string): Promise<ReadonlyMap<string, string>> {
  const paths = await lastingFilesUnder(directory);
  const sums = paths.map(async (path) =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
  );
  return new Map(await Promise.all(sums.map(async (sum, at) => [paths[at] as string, await sum] as const)));
}
