import { describe, expect, it } from '@jest/globals';
import type { VersionId } from '../../common/ids.js';
import { openingOfTemp, parseShardName, shardPlace, tempName } from './shard-name.js';

const versionId = '01890a5d-ac96-774b-bcce-b302099a8057' as VersionId;

describe('The place of a shard', () => {
  it('is named by its id, in the directory of the last byte of its version', () => {
    expect(shardPlace({ versionId, stripe: 255, index: 10 })).toEqual({
      directory: 'shards/57',
      name: '01890a5dac96774bbcceb302099a8057-ff-10',
    });
  });

  it('gives the id back', () => {
    const id = { versionId, stripe: Number.MAX_SAFE_INTEGER, index: 255 };
    expect(parseShardName('57', shardPlace(id).name)).toEqual(id);
    expect(parseShardName('58', shardPlace(id).name)).toBeUndefined();
  });

  it.each([
    { versionId: '../../../../etc/passwd' as VersionId },
    { versionId: '' as VersionId },
    { versionId: versionId.toUpperCase() as VersionId },
    { stripe: -1 },
    { stripe: 1.5 },
    { stripe: 2 ** 53 },
    { index: -1 },
    { index: 256 },
    { index: Number.NaN },
  ])('is refused to what is no id: %j', (part) => {
    expect(() => shardPlace({ versionId, stripe: 0, index: 0, ...part })).toThrow(/rejected/);
  });

  it('has temp names that are no names of shards and tell their opening', () => {
    const { name } = shardPlace({ versionId, stripe: 1, index: 1 });
    const temp = tempName(name, '0123456789abcdef', 12);
    expect(parseShardName('57', temp)).toBeUndefined();
    expect(openingOfTemp(temp)).toBe('0123456789abcdef');
    expect(openingOfTemp(name)).toBeUndefined();
    expect(openingOfTemp(`${name}.temp`)).toBeUndefined();
  });
});
