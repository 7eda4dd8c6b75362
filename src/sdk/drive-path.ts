import { normalName } from './drive-name.js';
import { SdkError } from './errors.js';

/** A place in a drive, by names from the top. */
export interface DrivePath {
  /** The name under which somebody else's node was accepted; absent for the own drive. */
  readonly mount?: string;
  /** Normalised. None for the top itself. */
  readonly names: readonly string[];
}

const MOUNT = '@';

/**
 * Reads `/a/b` (the own drive) and `@name/a/b` (what was accepted under that name). Slashes that repeat or come last say nothing more.
 * @throws SdkError `invalid-name` for everything else, and for `.` and `..`: a path says where something is, not how to get there
 */
export function parsePath(text: string): DrivePath {
  const [first = '', ...rest] = text.split('/');
  const names = rest.filter((name) => name !== '').map(normalName);
  if (first.startsWith(MOUNT)) return { mount: normalName(first.slice(MOUNT.length)), names };
  if (first !== '' || !text.startsWith('/')) throw new SdkError('invalid-name');
  return { names };
}

export function formatPath({ mount, names }: DrivePath): string {
  const path = names.map((name) => `/${name}`).join('');
  if (mount !== undefined) return `${MOUNT}${mount}${path}`;
  return path === '' ? '/' : path;
}

/** Whether it lies in no folder that is known here: the own root, or what somebody shared, which may be a single file. */
export function isTop({ names }: DrivePath): boolean {
  return names.length === 0;
}

/** The folder that something lies in, and its name there. @throws SdkError `invalid-name` for the top, which lies in none */
export function splitPath({ names, ...top }: DrivePath): { readonly folder: DrivePath; readonly name: string } {
  const name = names.at(-1);
  if (name === undefined) throw new SdkError('invalid-name');
  return { folder: { ...top, names: names.slice(0, -1) }, name };
}

export function childPath({ names, ...top }: DrivePath, name: string): DrivePath {
  return { ...top, names: [...names, name] };
}
