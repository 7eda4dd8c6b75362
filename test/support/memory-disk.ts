import { existsSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const SHARED_MEMORY = '/dev/shm';
/** In a container it may be too small for what all workers have there at once. */
const BYTES_MIN = 1024 ** 3;

/**
 * A disk in memory if there is one, for what is tested in the test's own process: it loses nothing without an fsync, and on a real disk
 * thousands of them, and of directories, would take most of the time.
 */
export const MEMORY_DISK = isRoomy() ? SHARED_MEMORY : tmpdir();

function isRoomy(): boolean {
  if (!existsSync(SHARED_MEMORY)) return false;
  const { bavail, bsize } = statfsSync(SHARED_MEMORY);
  return bavail * bsize >= BYTES_MIN;
}
