import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ClusterFile } from './cluster-file.js';
import { parseClusterMap } from './cluster-map.js';

let directory: string;

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'dcloud-cluster-')), 'deep', 'storage');
});

afterEach(() => {
  rmSync(join(directory, '..', '..'), { recursive: true });
});

function refused(code: string, detail: RegExp): unknown {
  return expect.objectContaining({ name: 'DomainError', code, detail: expect.stringMatching(detail) });
}

describe('ClusterFile', () => {
  it('is made in a directory that is not there yet, and is the same when it is opened again', () => {
    const made = ClusterFile.open(directory, 3);
    const again = ClusterFile.open(directory, 3);
    expect(again.clusterId).toBe(made.clusterId);
    expect([1, 2, 3].map((number) => again.node(number))).toEqual([1, 2, 3].map((number) => made.node(number)));
    expect(new Set([1, 2, 3].map((number) => made.node(number).nodeId)).size).toBe(3);
    expect(() => made.node(4)).toThrow(RangeError);
    expect(readdirSync(directory)).toEqual(['cluster.json']);
  });

  it('is new until a node was ready, and remembers which ones were', () => {
    const made = ClusterFile.open(directory, 2);
    expect(made.isNew).toBe(true);
    made.markReady([2]);
    for (const cluster of [made, ClusterFile.open(directory, 2)]) {
      expect([cluster.isNew, cluster.node(1).ready, cluster.node(2).ready]).toEqual([false, false, true]);
    }
  });

  it('gives ids to nodes that are added and keeps those of the others', () => {
    const two = ClusterFile.open(directory, 2);
    two.markReady([1, 2]);
    const four = ClusterFile.open(directory, 4);
    expect([four.node(1), four.node(2)]).toEqual([two.node(1), two.node(2)]);
    expect([four.node(3).ready, four.node(4).ready]).toEqual([false, false]);
  });

  it('refuses to leave out nodes that exist, and forgets those that never came to be', () => {
    ClusterFile.open(directory, 3).markReady([1, 2, 3]);
    ClusterFile.open(directory, 5);
    expect(ClusterFile.open(directory, 3).isNew).toBe(false);
    expect(() => ClusterFile.open(directory, 2)).toThrow(refused('storage-mismatch', /node_count is 2 and .* knows 3 nodes/));
  });

  it('tells others of a proposal under revisions of its own, and keeps it out of the map until it is accepted', () => {
    const file = ClusterFile.open(directory, 2);
    file.noteRedundancy(1);
    const { revision } = file.map;
    file.propose({ nodeCount: 3, redundancy: 0 });
    // What is changed meanwhile does not make others forget the proposal.
    file.markReady([1]);
    expect([file.map.nodes.length, file.map.redundancy]).toEqual([2, 1]);
    expect(ClusterFile.peek(directory)).toEqual(file.map);
    expect(file.told).toMatchObject({ revision: revision + 2, redundancy: 0, nodes: [{ ready: true }, {}, {}] });
    const [, , third] = file.told.nodes;
    expect(file.settle(false)).toEqual([]);
    expect(file.told).toEqual(file.map);
    expect(file.map).toMatchObject({ revision: revision + 3, redundancy: 1 });
    file.propose({ nodeCount: 3 });
    expect(file.settle(true)).toEqual([3]);
    expect(file.map).toMatchObject({ revision: revision + 5, redundancy: 1 });
    expect(file.node(3).nodeId).not.toBe(third?.nodeId);
    expect(ClusterFile.peek(directory)).toEqual(file.map);
  });

  it('keeps the places of nodes that were removed, whatever node_count says, and gives new numbers behind them', () => {
    const made = ClusterFile.open(directory, 4);
    made.markReady([1, 2, 3, 4]);
    made.changeNode(4, (node) => ({ ...node, state: 'removed' }));
    made.noteRedundancy(1);
    for (const count of [3, 4]) {
      const again = ClusterFile.open(directory, count);
      expect(again.map).toEqual(made.map);
      expect(again.members).toEqual([1, 2, 3]);
    }
    expect(() => ClusterFile.open(directory, 2)).toThrow(refused('storage-mismatch', /none may just be left out/));
    expect(made.propose({ nodeCount: 4 })).toBe(false);
    expect(made.propose({ nodeCount: 6 })).toBe(true);
    expect(made.settle(true)).toEqual([5, 6]);
    expect(ClusterFile.open(directory, 6).members).toEqual([1, 2, 3, 5, 6]);
  });

  it('keeps since when the disk of a node is a new one', () => {
    const made = ClusterFile.open(directory, 2);
    made.changeNode(2, (node) => ({ ...node, lostBefore: 1_700_000_000_000 }));
    expect(ClusterFile.open(directory, 2).node(2)).toMatchObject({ lostBefore: 1_700_000_000_000 });
    for (const wrong of [0, -1, 1.5, '1']) {
      const text = JSON.stringify({ ...made.map, nodes: [{ ...made.node(1), lostBefore: wrong }] });
      expect(parseClusterMap(text)).toBeUndefined();
      expect(parseClusterMap(JSON.stringify({ ...made.map, redundancy: wrong }))?.redundancy).toBe(wrong === 0 ? 0 : undefined);
      expect(parseClusterMap(JSON.stringify({ ...made.map, rebalancing: wrong }))).toBeUndefined();
    }
  });

  it('keeps that a rebalance was asked for, until it has ended', () => {
    const made = ClusterFile.open(directory, 2);
    const { revision } = made.map;
    made.noteRebalance(1_700_000_000_000);
    expect(ClusterFile.open(directory, 2).map).toMatchObject({ rebalancing: 1_700_000_000_000, revision: revision + 1 });
    made.noteRebalance(undefined);
    made.noteRebalance(undefined);
    expect(ClusterFile.open(directory, 2).map).toEqual({ ...made.map, revision: revision + 2 });
    expect(made.map).not.toHaveProperty('rebalancing');
  });

  it.each(['node_1', 'node_12', 'index', 'key-ring.json'])('is not made beside %s, which belongs to some cluster', (name) => {
    mkdirSync(join(directory, name), { recursive: true });
    writeFileSync(join(directory, name, 'node.json'), '{}');
    expect(() => ClusterFile.open(directory, 2)).toThrow(refused('storage-missing', new RegExp(`holds ${name} but no`)));
    expect(readdirSync(directory)).toEqual([name]);
  });

  it.each(['', '{', '[]', 'null', '{"format":2}', '{"format":1,"clusterId":"x","nodes":[]}'])(
    'refuses %j as damaged, and leaves it',
    (text) => {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'cluster.json'), text);
      expect(() => ClusterFile.open(directory, 2)).toThrow(refused('storage-unusable', /damaged/));
      expect(readFileSync(join(directory, 'cluster.json'), 'utf8')).toBe(text);
    },
  );

  it('takes format 1 for the first term of node 1, and writes format 2 from then on', () => {
    const made = ClusterFile.open(directory, 2);
    const { clusterId } = made;
    const nodes = [1, 2].map((number) => ({ nodeId: made.node(number).nodeId, ready: number === 1 }));
    const path = join(directory, 'cluster.json');
    writeFileSync(path, JSON.stringify({ format: 1, clusterId, nodes }));
    const old = ClusterFile.open(directory, 2);
    expect(old.map).toMatchObject({ format: 2, clusterId, term: 1, revision: 1, gateway: 1 });
    expect(old.map.nodes.map(({ ready, state }) => [ready, state])).toEqual([
      [true, 'active'],
      [false, 'active'],
    ]);
    old.markReady([2]);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
      format: 2,
      term: 1,
      revision: 2,
      nodes: [{}, { ready: true }],
    });
  });

  it('tells of each change after it is durable, with the next revision', () => {
    const cluster = ClusterFile.open(directory, 2);
    const { revision } = cluster.map;
    const seen: [number, number][] = [];
    cluster.onChange((map) => seen.push([map.revision, ClusterFile.peek(directory)!.revision]));
    cluster.markReady([1]);
    cluster.markReady([1]);
    cluster.markReady([2]);
    expect(seen).toEqual([
      [revision + 1, revision + 1],
      [revision + 2, revision + 2],
    ]);
  });

  it('is not written over by a process that slept through a takeover', () => {
    const slept = ClusterFile.open(directory, 2);
    ClusterFile.restore(directory, { ...slept.map, term: 2, revision: 1, gateway: 2 });
    expect(() => slept.markReady([1])).toThrow(refused('storage-mismatch', /is of term 2 by now, and this process of 1/));
    expect(ClusterFile.peek(directory)).toMatchObject({ term: 2, gateway: 2 });
  });

  it('says which directory cannot be used', () => {
    mkdirSync(join(directory, '..'), { recursive: true });
    writeFileSync(directory, 'a file');
    expect(() => ClusterFile.open(directory, 2)).toThrow(
      refused('storage-unusable', /^storage_directory .*storage cannot be used/),
    );
  });
});
