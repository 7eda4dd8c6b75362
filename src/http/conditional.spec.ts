import { describe, expect, it } from '@jest/globals';
import { newId, type VersionId } from '../common/ids.js';
import { checkChange, etagOf, httpDate, isConditional, isNotModified, isRangeCurrent } from './conditional.js';

const VERSION = newId<VersionId>();
const OTHER = newId<VersionId>();
const etag = etagOf(VERSION);
/** Half a second behind what an HTTP date can say. */
const lastModified = Date.UTC(2026, 0, 2, 3, 4, 5, 500);
const validators = { etag, lastModified };
const [before, same, after] = [-1000, 0, 1000].map((difference) => httpDate(lastModified + difference)) as [
  string,
  string,
  string,
];

describe('isNotModified', () => {
  it.each<[string, Record<string, string>, boolean]>([
    ['nothing', {}, false],
    ['this tag', { 'if-none-match': etag }, true],
    ['this tag, weak: GET compares weakly', { 'if-none-match': `W/${etag}` }, true],
    ['a list with this tag', { 'if-none-match': `"x",${etag}` }, true],
    ['any', { 'if-none-match': '*' }, true],
    ['another tag', { 'if-none-match': etagOf(OTHER) }, false],
    ['another tag, whatever the date says', { 'if-none-match': '"x"', 'if-modified-since': after }, false],
    ['this second', { 'if-modified-since': same }, true],
    ['a later second', { 'if-modified-since': after }, true],
    ['an earlier second', { 'if-modified-since': before }, false],
    ['no date', { 'if-modified-since': 'yesterday' }, false],
    ['a reload that asks all the same', { 'if-none-match': etag, 'cache-control': 'no-cache' }, true],
  ])('of a client that has %s', (_what, headers, expected) => {
    expect(isNotModified(headers, validators)).toBe(expected);
  });

  it.each<[Record<string, string>]>([
    [{ 'if-match': etagOf(OTHER) }],
    [{ 'if-match': `W/${etag}` }],
    [{ 'if-match': '"x"', 'if-none-match': etag }],
    [{ 'if-unmodified-since': before }],
  ])('refuses %j', (headers) => {
    expect(() => isNotModified(headers, validators)).toThrow(expect.objectContaining({ code: 'precondition-failed' }));
  });

  it.each<[Record<string, string>]>([
    [{ 'if-match': etag }],
    [{ 'if-match': ' * ' }],
    [{ 'if-match': `"x", ${etag}` }],
    [{ 'if-unmodified-since': same }],
    [{ 'if-unmodified-since': 'nonsense' }],
    [{ 'if-match': etag, 'if-unmodified-since': before }],
  ])('lets %j pass', (headers) => {
    expect(isNotModified(headers, validators)).toBe(false);
  });
});

describe('isRangeCurrent', () => {
  it('is so without If-Range, and with the very tag', () => {
    for (const value of [undefined, etag]) expect(isRangeCurrent(value, validators)).toBe(true);
  });

  it('is not so with any other, not with a weak tag, and not with a date, which two versions may share', () => {
    for (const value of [etagOf(OTHER), `W/${etag}`, before, same, after, '', 'x', '*'])
      expect(isRangeCurrent(value, validators)).toBe(false);
  });
});

describe('isConditional', () => {
  it.each<[Record<string, string>, boolean]>([
    [{}, false],
    [{ 'if-match': ' * ' }, false],
    [{ 'if-match': '' }, true],
    [{ 'if-match': etag }, true],
    [{ 'if-none-match': etag }, true],
    [{ 'if-match': '*', 'if-none-match': etag }, true],
    [{ 'if-unmodified-since': same }, true],
    [{ 'if-unmodified-since': 'nonsense' }, false],
    [{ 'if-match': '*', 'if-unmodified-since': same }, false],
  ])('says of a change with %j: %s', (headers, expected) => {
    expect(isConditional(headers)).toBe(expected);
  });
});

describe('checkChange', () => {
  it.each<[Record<string, string>]>([
    [{ 'if-match': etagOf(OTHER) }],
    [{ 'if-match': `W/${etag}` }],
    [{ 'if-match': VERSION }],
    [{ 'if-match': '' }],
    [{ 'if-unmodified-since': before }],
    [{ 'if-none-match': '*' }],
    [{ 'if-none-match': etag }],
    [{ 'if-none-match': `"x", W/${etag}` }],
    [{ 'if-match': etag, 'if-none-match': etag }],
    [{ 'if-unmodified-since': after, 'if-none-match': etag }],
  ])('refuses %j', (headers) => {
    expect(() => checkChange(headers, validators)).toThrow(expect.objectContaining({ code: 'precondition-failed' }));
  });

  it.each<[Record<string, string>]>([
    [{}],
    [{ 'if-match': `"x", ${etag}` }],
    [{ 'if-match': etag, 'if-unmodified-since': before }],
    [{ 'if-unmodified-since': same }],
    [{ 'if-unmodified-since': 'nonsense' }],
    [{ 'if-none-match': etagOf(OTHER) }],
  ])('lets %j pass', (headers) => {
    expect(() => checkChange(headers, validators)).not.toThrow();
  });
});
