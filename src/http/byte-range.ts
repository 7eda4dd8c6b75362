import parseRange from 'range-parser';
import type { ByteRange } from '../common/byte-range.js';
import { DomainError } from '../common/errors.js';

/**
 * The part of a file that a `Range` header asks for (RFC 9110 §14); undefined: all of it. Several ranges at once, other units and what
 * does not parse are ignored, as the RFC allows.
 * @throws DomainError `range-not-satisfiable`
 */
export function requestedRange(header: string | undefined, size: number): ByteRange | undefined {
  if (header === undefined || !/^bytes=/i.test(header) || header.includes(',')) return undefined;
  const ranges = parseRange(size, header);
  if (ranges === -1) throw new DomainError('range-not-satisfiable', `the file has ${size} bytes`);
  if (ranges === -2) return undefined;
  const [range] = ranges;
  return range === undefined ? undefined : { from: range.start, to: range.end + 1 };
}
