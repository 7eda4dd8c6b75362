import { describe, expect, it } from '@jest/globals';
import { newId, type VersionId } from '../common/ids.js';
import { demandedVersions, etagOf, httpDate, isNotModified, isRangeCurrent } from './conditional.js';

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
  it('is so without If-Range, and with the very tag or date', () => {
    for (const value of [undefined, etag, same]) expect(isRangeCurrent(value, validators)).toBe(true);
  });

  it('is not so with any other, and not with a weak tag', () => {
    for (const value of [etagOf(OTHER), `W/${etag}`, before, after, '', 'x', '*'])
      expect(isRangeCurrent(value, validators)).toBe(false);
  });
});

describe('demandedVersions', () => {
  it('demands nothing without If-Match or with any', () => {
    for (const value of [undefined, '*', ' * ']) expect(demandedVersions(value)).toBeUndefined();
  });

  it('demands the tags of a list, and none that is weak or no tag of ours', () => {
    expect(demandedVersions(`${etag}, ${etagOf(OTHER)}`)).toEqual([VERSION, OTHER]);
    expect(demandedVersions(`W/${etag}, "x", ${VERSION}`)).toEqual([]);
    expect(demandedVersions('')).toEqual([]);
  });
});
