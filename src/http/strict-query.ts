import { DomainError } from '../common/errors.js';

/**
 * Parses a query string as `application/x-www-form-urlencoded` and refuses what other parsers bend until it fits: bytes that are not
 * UTF-8, and a key given twice.
 * @throws DomainError `invalid-request`
 */
export function strictQuery(text: string | null): Record<string, string> {
  const values = new Map<string, string>();
  for (const pair of text?.split('&') ?? []) {
    if (pair === '') continue;
    const [key = '', ...rest] = pair.split('=');
    const name = decodeQuery(key);
    // class-transformer drops keys that every object has, so the validation behind it cannot refuse them as unknown.
    if (Object.hasOwn(Object.prototype, name)) throw new DomainError('invalid-request', 'a query parameter is unknown');
    if (values.has(name)) throw new DomainError('invalid-request', 'a query parameter is given twice');
    values.set(name, decodeQuery(rest.join('=')));
  }
  return Object.fromEntries(values);
}

/** A key or a value of a query, decoded. @throws DomainError `invalid-request` */
export function decodeQuery(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw new DomainError('invalid-request', 'the query string is not percent-encoded UTF-8', { cause });
  }
}
