import { createHash } from 'node:crypto';
import type { AuditEntry } from './audit-log.js';

/** Where a chain of lines ends: the number of the last one, and its hash. */
export interface ChainEnd {
  readonly n: number;
  readonly hash: string;
}

/** Before the first line of all. */
export const BEGIN: ChainEnd = { n: 0, hash: '0'.repeat(64) };

/** A text in a line is cut off at this many characters. */
const CHARACTERS_MAX = 256;

/** The first line of each file says which line of the file before it follows. */
const HEAD = /^\{"format":1,"after":(\d{1,15}),"hash":"([0-9a-f]{64})"\}$/;
const LINE = /^(\{"n":(\d{1,15}),.*),"hash":"([0-9a-f]{64})"\}$/;

/** The line of an entry, and the end of the chain with it. */
export function lineOf(entry: AuditEntry, timeMs: number, { n: before, hash: previous }: ChainEnd): [string, ChainEnd] {
  const { who, what, id, result, request } = entry;
  const n = before + 1;
  const body = JSON.stringify({
    n,
    time: new Date(timeMs).toISOString(),
    who: clipped(who),
    what: clipped(what),
    id: clipped(id),
    result: clipped(result),
    request: clipped(request),
  });
  const hash = hashOf(previous, body);
  return [`${body.slice(0, -1)},"hash":"${hash}"}\n`, { n, hash }];
}

/** The line that a file begins with. */
export function headOf({ n, hash }: ChainEnd): string {
  return `{"format":1,"after":${n},"hash":"${hash}"}\n`;
}

/** What a line says of its place in the chain, whether that is true or not; undefined if it is no line of an audit log. */
export function placeOf(line: string): (ChainEnd & { readonly isHead: boolean }) | undefined {
  const head = HEAD.exec(line);
  if (head !== null) return { n: Number(head[1]), hash: head[2] as string, isHead: true };
  const found = LINE.exec(line);
  return found === null ? undefined : { n: Number(found[2]), hash: found[3] as string, isHead: false };
}

/** The end of the chain with a line; undefined if the line does not follow `before`, or is not as it was written. */
export function following(line: string, before: ChainEnd): ChainEnd | undefined {
  const [, body, n, hash] = LINE.exec(line) ?? [];
  if (body === undefined || hash === undefined || Number(n) !== before.n + 1) return undefined;
  return hashOf(before.hash, `${body}}`) === hash ? { n: before.n + 1, hash } : undefined;
}

function hashOf(previous: string, body: string): string {
  return createHash('sha256').update(previous).update(body).digest('hex');
}

function clipped(text: string | undefined): string | undefined {
  return text?.slice(0, CHARACTERS_MAX);
}
