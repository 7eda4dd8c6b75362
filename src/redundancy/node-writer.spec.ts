import { describe, expect, it } from '@jest/globals';
import { FaultyStorageNode } from '../../test/support/faulty.storage-node.js';
import { MemoryStorageNode } from '../../test/support/memory.storage-node.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { NodeWriter } from './node-writer.js';

const NEVER = new AbortController().signal;

/** Three nodes that take so long for a write, and of which it is known that it took them so long so far. */
function writerOf({ takesMs, knownMs }: { readonly takesMs: number; readonly knownMs: readonly number[] }) {
  const nodes = [1, 2, 3].map((number) => new FaultyStorageNode(new MemoryStorageNode(number)));
  const registry = new NodeRegistry(nodes);
  for (const [at, node] of nodes.entries()) {
    registry.setState(node.number, 'up', {});
    node.inject({ on: 'put', effect: { delayMs: takesMs } });
    for (let count = 0; count < 20; count += 1) registry.latencies(node.number).completed('writeSmall', knownMs[at]!);
  }
  return { registry, writer: new NodeWriter(registry, 20) };
}

function put(writer: NodeWriter, mayMove: () => boolean): Promise<unknown> {
  return writer.put({ number: 1, batch: { shards: [], records: [] }, mayMove }, NEVER);
}

describe('a write to a node', () => {
  it('is given up when it takes much longer than usual and may go elsewhere', async () => {
    const { registry, writer } = writerOf({ takesMs: 60_000, knownMs: [1, 1, 1] });
    await expect(put(writer, () => true)).resolves.toMatchObject({ kind: 'unavailable' });
    expect(registry.isLate(1)).toBe(true);
    expect(registry.status(1).state).toBe('up');
  });

  it.each([
    ['it usually takes', [200, 1, 1]],
    ['those of other nodes usually take', [1, 200, 200]],
  ])('is waited for when it takes no longer than %s', async (_, knownMs) => {
    const { registry, writer } = writerOf({ takesMs: 100, knownMs });
    await expect(put(writer, () => true)).resolves.toBeUndefined();
    expect(registry.isLate(1)).toBe(false);
  });

  it('is waited for when it has nowhere else to go', async () => {
    const { writer } = writerOf({ takesMs: 100, knownMs: [1, 1, 1] });
    await expect(put(writer, () => false)).resolves.toBeUndefined();
  });
});
