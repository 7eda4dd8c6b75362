import { link, open, rename, rm } from 'node:fs/promises';
import { errorCode } from './errors.js';

/** File systems that have no hard links say so in one of these ways. */
const NO_LINKS: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL']);

/**
 * Gives a file that is whole the name that it is to have. What has that name gives way only if it is to: a symbolic link itself then, not what it
 * points to. Else it is refused with `EEXIST`, however late it came.
 */
export async function putInPlace(temporary: string, path: string, isReplacing: boolean): Promise<void> {
  if (isReplacing) {
    await rename(temporary, path);
    return;
  }
  try {
    await link(temporary, path); // unlike a renaming, this refuses to take the place of anything
  } catch (error) {
    if (!NO_LINKS.has(errorCode(error))) throw error;
    await takeName(temporary, path);
    return;
  }
  await rm(temporary);
}

/** Without links the name is taken by an empty file, and that one is replaced. */
async function takeName(temporary: string, path: string): Promise<void> {
  await (await open(path, 'wx')).close();
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}
