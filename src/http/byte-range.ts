import type { ByteRange } from '../common/byte-range.js';
import { DomainError } from '../common/errors.js';

const ONE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * The part of a file that a `Range` header asks for (RFC 9110 §14); undefined: all of it. Several ranges at once, other units and what
 * does not parse are ignored, as the RFC allows.
 * @throws DomainError `range-not-satisfiable`
 */
export function requestedRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, first = '', last = ''] = ONE_RANGE.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') return satisfiable({ from: Math.max(0, size - Number(last)), to: size }, size);
  if (last !== '' && Number(last) < Number(first)) return undefined; // invalid, and not merely outside the file
  return satisfiable({ from: Number(first), to: last === '' ? size : Math.min(size, Number(last) + 1) }, size);
}

function satisfiable(range: ByteRange, size: number): ByteRange {
  if (range.from < range.to) return range;
  throw new DomainError('range-not-satisfiable', `the file has ${size} bytes`);
}
