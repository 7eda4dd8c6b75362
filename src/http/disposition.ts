import { create, parse } from 'content-disposition';
import { DomainError } from '../common/errors.js';

/** `Content-Disposition` for a download: any Unicode name, as RFC 8187 encodes it, with a plain fallback for old clients. */
export function dispositionOf(name: string): string {
  return create(name);
}

/**
 * The file name in a request's `Content-Disposition`; undefined if there is none.
 * Header values reach Node.js as bytes read as Latin-1, while clients that do not know RFC 8187 send UTF-8.
 */
export function nameInDisposition(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  try {
    return parse(asUtf8(header)).parameters['filename'];
  } catch (cause) {
    throw new DomainError('invalid-request', 'Content-Disposition cannot be parsed', { cause });
  }
}

function asUtf8(header: string): string {
  const bytes = Buffer.from(header, 'latin1');
  const text = bytes.toString('utf8');
  return text.includes('\uFFFD') ? header : text;
}
