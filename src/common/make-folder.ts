import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from './errors.js';

/**
 * Makes a folder, and those above it that are missing. Not by `recursive` of Node.js, which tries without end where a folder is there and the
 * system says of a new one in it that there is no such place, as under `/proc`.
 * @returns the highest folder that was made; undefined if all were there
 */
export function makeFolder(path: string, mode = 0o777): string | undefined {
  try {
    mkdirSync(path, mode);
    return path;
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return undefined;
    const parent = dirname(path);
    if (errorCode(error) !== 'ENOENT' || parent === path || existsSync(parent)) throw error;
    const above = makeFolder(parent, mode);
    const made = makeFolder(path, mode);
    return above ?? made;
  }
}
