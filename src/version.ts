import { readFileSync } from 'node:fs';
import { packageFile } from './common/package-file.js';

/** The version of the program, from package.json. */
export function version(): string {
  const text = readFileSync(packageFile('package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
