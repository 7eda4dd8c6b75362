import { readFile } from 'node:fs/promises';
import type { Violation } from '../crash/violation.ts';

const LINES_MAX = 60;
const LINE_LENGTH_MAX = 400;
const DEED = /"event":"(?:deed|deed-done|round)"/;
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/;

interface Noted {
  readonly at: number;
  readonly event: string;
}

/** All that happened to the file of a violation, and to the nodes meanwhile, from the log of the run. */
export async function storyOf({ kind, detail }: Violation, logFile: string): Promise<readonly string[]> {
  const id = ID.exec(detail)?.[0];
  if (id === undefined) return [];
  const lines = (await readFile(logFile, 'utf8')).split('\n').filter((line) => line !== '');
  const first = (JSON.parse(lines[0] ?? '{"at":0}') as Noted).at;
  const isAbout = (line: string): boolean => line.includes(id);
  // Before the file was there, deeds are not of its story; but the answer that made it comes some time after.
  const begin = Math.max(0, lines.findIndex(isAbout) - 1);
  const last = lines.findLastIndex(isAbout);
  // What clients saw of a register is in the violation already, in its order.
  const isTold = (line: string): boolean =>
    DEED.test(line) || (isAbout(line) && (kind !== 'stale' || !line.includes('"event":"register"')));
  return lines
    .slice(begin, last + 1)
    .filter(isTold)
    .slice(-LINES_MAX)
    .map((line) => spell(line, first));
}

function spell(line: string, first: number): string {
  const { at, event, ...fields } = JSON.parse(line) as Noted & { readonly words?: string };
  const text = fields.words ?? JSON.stringify(fields, (key, value: unknown) => (key === 'sha256' ? undefined : value));
  return `${((at - first) / 1000).toFixed(3)} s ${event}: ${text.slice(0, LINE_LENGTH_MAX)}`;
}
