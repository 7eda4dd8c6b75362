import { describe, expect, it } from '@jest/globals';
import { newId, type VersionId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';
import { SmallFileCache, type SmallVersion } from './small-file-cache.js';

const entry = (bytes: number): SmallVersion => ({ sealed: new Uint8Array(bytes), opening: {} as SmallVersion['opening'] });
const cacheOf = (bytes: number): SmallFileCache => new SmallFileCache({ limits: { small_cache_bytes: bytes } } as AppConfig);

describe('SmallFileCache', () => {
  it('keeps what was used lately, and no more bytes than it may', () => {
    const cache = cacheOf(10 * 2048);
    const ids = Array.from({ length: 10 }, () => newId<VersionId>());
    for (const id of ids) cache.add(id, entry(1024));
    expect(ids.every((id) => cache.get(id) !== undefined)).toBe(true);
    cache.get(ids[0]!);
    const more = newId<VersionId>();
    cache.add(more, entry(1024));
    expect(ids.map((id) => cache.get(id) !== undefined)).toEqual([true, false, ...Array.from({ length: 8 }, () => true)]);
    cache.add(newId<VersionId>(), entry(19 * 1024));
    expect([more, ...ids].some((id) => cache.get(id) !== undefined)).toBe(false);
  });

  it('counts a version once that is added again, and not at all when it is forgotten', () => {
    const cache = cacheOf(2 * 2048);
    const [first, second] = [newId<VersionId>(), newId<VersionId>()];
    for (let at = 0; at < 5; at += 1) cache.add(first, entry(1024));
    cache.add(second, entry(1024));
    expect(cache.get(first)).toBeDefined();
    cache.forget(first);
    cache.forget(first);
    expect(cache.get(first)).toBeUndefined();
    cache.add(newId<VersionId>(), entry(1024));
    expect(cache.get(second)).toBeDefined();
  });

  it('keeps nothing when it may keep nothing', () => {
    const cache = cacheOf(0);
    const id = newId<VersionId>();
    cache.add(id, entry(0));
    expect(cache.get(id)).toBeUndefined();
  });
});
