import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { runLoad } from '../load.ts';
import { idOf, put, remove } from '../requests.ts';
import { type FloorMode, startFloor, startProduct, type Subject } from '../subject.ts';
import { MiB } from './sizes.ts';
import type { Arena, Turns } from './trial.ts';

const GONE_MS_MAX = 30_000;
/** Large bodies are sent as pieces of this size, over and over. */
const PIECE_BYTES = 2 * MiB;

interface Wanted {
  readonly directory: string;
  /** Servers of ours, by side, with their configurations. */
  readonly products: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Floors, by side. */
  readonly floors?: Readonly<Record<string, FloorMode>>;
}

/** Starts servers, and makes sides of them that take turns in the same way. */
export async function serversThat(
  { directory, products, floors = {} }: Wanted,
  take: (server: Subject, turn: number, side: string) => Promise<Turns>,
): Promise<Arena> {
  const servers: Subject[] = [];
  const sides: Record<string, Arena['sides'][string]> = {};
  const end = async (): Promise<void> => {
    for (const server of servers) await server.end();
  };
  const add = (side: string, server: Subject): void => {
    servers.push(server);
    sides[side] = (turn) => take(server, turn, side);
  };
  try {
    for (const [side, config] of Object.entries(products)) add(side, await startProduct(directory, config));
    for (const [side, mode] of Object.entries(floors)) add(side, await startFloor(directory, mode));
  } catch (error) {
    await end();
    throw error;
  }
  return { sides, end };
}

/** The request that puts so many bytes: whole pieces, or a file that is smaller than one. */
export function putOf(random: (bytes: number) => Buffer, bytes: number): () => ReturnType<typeof put> {
  const piece = random(Math.min(bytes, PIECE_BYTES));
  const times = bytes / piece.length;
  if (!Number.isInteger(times)) throw new RangeError(`${bytes} bytes are no whole number of pieces`);
  return () => put(piece, times);
}

/** Puts files, and returns their ids. */
export async function fill(
  server: Pick<Subject, 'port'>,
  size: { readonly clients: number; readonly operations: number },
  request: () => ReturnType<typeof put>,
): Promise<string[]> {
  const ids: string[] = [];
  await runLoad(server.port, size, request, (answer) => ids.push(idOf(answer)));
  return ids;
}

/** Removes files and waits until their slices are gone, so that there is room, and nobody pays for it while he is measured. */
export async function removeAll(server: Subject, ids: readonly string[], filesBefore: number): Promise<void> {
  await runLoad(server.port, { clients: 1, operations: ids.length }, (operation) => remove(ids[operation] ?? ''));
  const deadline = performance.now() + GONE_MS_MAX;
  while ((await filesOf(server)) > filesBefore && performance.now() < deadline) await sleep(50);
}

/** How many files of slices there are on the disk. */
export async function filesOf({ directory }: Subject): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && /[/\\]shards([/\\]|$)/.test(entry.parentPath)).length;
}
