import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { newId, type VersionId } from '../../common/ids.js';
import { KEY_WORDS, KeyDecoder, KeyEncoder } from './pack-key.js';
import { PackTable, type Place } from './pack-table.js';

const versions = Array.from({ length: 5 }, () => newId<VersionId>());

function place(offset: number): Place {
  return { seq: offset % 7, offset, bytes: 60 + (offset % 1000), isShared: offset % 3 === 0, revision: 0 };
}

function other(stripe: number) {
  return { versionId: newId<VersionId>(), stripe, index: 1 };
}

function keysOf(table: PackTable): string[] {
  const decoder = new KeyDecoder();
  const keys: string[] = [];
  for (const part of table.walk())
    for (let at = 0; at < part.length; at += KEY_WORDS) keys.push(Object.values(decoder.shardId(part, at)).join('/'));
  return keys;
}

describe('The table of packed entries', () => {
  it('holds what a Map holds, after any calls', () => {
    const call = fc.record({
      version: fc.nat(4),
      stripe: fc.oneof(fc.nat(40), fc.nat(20_000), fc.constant(Number.MAX_SAFE_INTEGER)),
      index: fc.constantFrom(0, 1, 255),
      isDelete: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 400 }), (calls) => {
        const [table, model, encoder] = [new PackTable(false), new Map<string, Place>(), new KeyEncoder()];
        for (const [offset, { version, stripe, index, isDelete }] of calls.entries()) {
          const id = { versionId: versions[version] as VersionId, stripe, index };
          const text = Object.values(id).join('/');
          const before = isDelete ? table.delete(encoder.shard(id)) : table.set(encoder.shard(id), place(offset));
          let isSame = isDeepStrictEqual(before, model.get(text));
          if (isDelete) model.delete(text);
          else model.set(text, place(offset));
          isSame &&= isDeepStrictEqual(table.find(encoder.shard(id)), model.get(text));
          if (!isSame) throw new Error(`they differ at call ${offset}`);
        }
        expect(table.size).toBe(model.size);
        expect(keysOf(table).toSorted()).toEqual([...model.keys()].toSorted());
      }),
    );
  });

  it('grows to many keys, finds each, walks over stretches of stripes in order, and shrinks to nothing', () => {
    const [table, encoder] = [new PackTable(false), new KeyEncoder()];
    const ids = versions.flatMap((versionId) => Array.from({ length: 30_000 }, (_, stripe) => ({ versionId, stripe, index: 0 })));
    for (const [at, id] of ids.entries()) table.set(encoder.shard(id), place(at));
    expect(ids.findIndex((id, at) => table.find(encoder.shard(id))?.offset !== at)).toBe(-1);
    const decoder = new KeyDecoder();
    let [jumps, last] = [0, -2];
    for (const part of table.walk()) {
      for (let at = 0; at < part.length; at += KEY_WORDS) {
        const { stripe } = decoder.shardId(part, at);
        if (stripe !== last + 1) jumps += 1;
        last = stripe;
      }
    }
    expect(jumps).toBeLessThan(60);
    expect(ids.findIndex((id) => table.delete(encoder.shard(id)) === undefined)).toBe(-1);
    expect([table.size, keysOf(table)]).toEqual([0, []]);
  });

  it('is walked without missing or repeating a key that is there all the time, while it grows', () => {
    const [table, encoder] = [new PackTable(false), new KeyEncoder()];
    const ids = Array.from({ length: 20_000 }, (_, at) => ({ versionId: newId<VersionId>(), stripe: at, index: 0 }));
    for (const [at, id] of ids.entries()) table.set(encoder.shard(id), place(at));
    const [seen, decoder] = [new Set<string>(), new KeyDecoder()];
    let repeated = 0;
    for (const part of table.walk()) {
      if (table.size < 120_000) for (let more = 0; more < 8000; more += 1) table.set(encoder.shard(other(more)), place(more));
      for (let at = 0; at < part.length; at += KEY_WORDS) {
        const text = Object.values(decoder.shardId(part, at)).join('/');
        repeated += seen.has(text) ? 1 : 0;
        seen.add(text);
      }
    }
    expect([repeated, ids.filter((id) => !seen.has(Object.values(id).join('/')))]).toEqual([0, []]);
  });
});
