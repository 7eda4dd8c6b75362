import { DomainError } from '../common/errors.js';

/**
 * Checks a file's name: any Unicode but control characters, not empty, well formed. A name is data and never a path: `../x` is a name
 * like any other, and whoever writes it to a disk of their own decides what to make of it.
 * @throws DomainError `invalid-name`; the detail does not repeat the name
 */
export function checkName(name: string, bytesMax: number): string {
  if (name === '') throw invalid('it is empty');
  if (!name.isWellFormed()) throw invalid('it has an unpaired surrogate');
  if (/\p{Cc}/u.test(name)) throw invalid('it has a control character');
  if (Buffer.byteLength(name) > bytesMax) throw invalid(`it is longer than ${bytesMax} bytes in UTF-8`);
  return name;
}

function invalid(reason: string): DomainError {
  return new DomainError('invalid-name', reason);
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?:[ \\t]*;[\\x20-\\x7e\\t]*)?$`);

/** Checks a content type (RFC 9110 §8.3.1): it is sent back as a header just as it came. */
export function checkContentType(contentType: string, bytesMax: number): string {
  if (contentType.length <= bytesMax && MEDIA_TYPE.test(contentType)) return contentType;
  throw new DomainError('invalid-content-type', `it must be like type/subtype, of at most ${bytesMax} bytes`);
}
