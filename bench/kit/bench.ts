import { statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';

export type Effort = 'quick' | 'usual' | 'long';

const TMPFS = 0x01021994;
const SHARED_MEMORY = '/dev/shm';
/** What the usual trials may need at once. */
const ROOM_BYTES = 10 * 1024 ** 3;

/** Where and with how much effort is measured. */
export interface Bench {
  /** Where the data goes. */
  readonly directory: string;
  readonly effort: Effort;
  readonly pairs: number;
}

/** The size for an effort. */
export function sized<Size>({ effort }: Pick<Bench, 'effort'>, sizes: Readonly<Record<Effort, Size>>): Size {
  return sizes[effort];
}

export function isTmpfs(directory: string): boolean {
  return statfsSync(directory).type === TMPFS;
}

/** Whether so much can be written to a directory, and be kept in memory if that is where it is. */
export function hasRoom(directory: string, bytes: number): boolean {
  const { bavail, bsize, type } = statfsSync(directory);
  return bavail * bsize > bytes && (type !== TMPFS || freemem() > bytes);
}

/** A `tmpfs` if there is one with room, so that the program is measured and not the disk; else the system's temporary directory. */
export function defaultDirectory(): string {
  try {
    return isTmpfs(SHARED_MEMORY) && hasRoom(SHARED_MEMORY, ROOM_BYTES) ? SHARED_MEMORY : tmpdir();
  } catch {
    return tmpdir(); // there is none
  }
}
