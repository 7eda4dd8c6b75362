import { CliError } from './cli-error.js';

/** A part of a file, as HTTP and curl write it: `0-99` the first hundred bytes, `100-` all from there, `-100` the last hundred. */
export interface WrittenRange {
  readonly first: number | undefined;
  readonly last: number | undefined;
}

export function parseRange(text: string): WrittenRange {
  const [, first = '', last = ''] = /^(\d{0,15})-(\d{0,15})$/u.exec(text) ?? [];
  const range = { first: first === '' ? undefined : Number(first), last: last === '' ? undefined : Number(last) };
  const isEmpty = range.first === undefined && range.last === undefined;
  const isBackwards = range.first !== undefined && range.last !== undefined && range.last < range.first;
  if (isEmpty || isBackwards) throw new CliError('usage', 'a range is written like 0-99, 100- or -100');
  return range;
}

/** What of a file of this size it means. @throws CliError if there is nothing of it */
export function resolveRange({ first, last }: WrittenRange, size: number): { readonly from: number; readonly to: number } {
  const from = first ?? Math.max(0, size - (last ?? 0));
  const to = first === undefined || last === undefined ? size : Math.min(size, last + 1);
  if (from >= to) throw new CliError('usage', `the file has ${size} bytes, and none of those`);
  return { from, to };
}
