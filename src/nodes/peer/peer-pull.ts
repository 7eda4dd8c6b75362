import { checksumOf, letGo, noteRead } from '../read-bytes.js';
import { NodeError, type Shard, type ShardCopy, type StorageNode } from '../storage-node.js';

/**
 * Gets shards from one node and puts them on another; see {@link StorageNode.pull}. Of what is wrong with the source nothing is said but the
 * error of each shard: the caller has other ways to them. That includes that this process does not know where the source is: its configuration
 * may be older than the gateway's, and that is no reason to do without the target.
 */
export async function pullShards(
  { source, target }: { readonly source: StorageNode | undefined; readonly target: StorageNode },
  copies: readonly ShardCopy[],
  signal: AbortSignal,
): Promise<readonly (NodeError | undefined)[]> {
  const found = await getEach(source, copies, signal);
  const errors = copies.map(({ length }, at) => errorOf(found[at], length));
  const shards = copies.flatMap((copy, at) => (errors[at] === undefined ? [shardOf(copy, found[at] as Uint8Array)] : []));
  if (shards.length > 0) await target.put({ shards, records: [] }, signal);
  for (const { bytes } of shards) letGo(bytes);
  return errors;
}

async function getEach(
  source: StorageNode | undefined,
  copies: readonly ShardCopy[],
  signal: AbortSignal,
): Promise<readonly (Uint8Array | NodeError)[]> {
  if (source === undefined) return copies.map(() => new NodeError('unavailable', 'it does not know where that node is'));
  try {
    // One byte more than it must have tells that it is too long, and no source can fill the memory with more.
    const asks = copies.map(({ versionId, stripe, fromIndex, length }) => ({
      versionId,
      stripe,
      index: fromIndex,
      length: length + 1,
    }));
    return await source.get(asks, signal);
  } catch (error) {
    if (!(error instanceof NodeError) || signal.aborted) throw error;
    return copies.map(() => error);
  }
}

function errorOf(found: Uint8Array | NodeError | undefined, length: number): NodeError | undefined {
  if (found instanceof NodeError) return found;
  return found?.byteLength === length ? undefined : new NodeError('corrupt', 'the shard has another length than it should have');
}

function shardOf({ versionId, stripe, index, k, m }: ShardCopy, bytes: Uint8Array): Shard {
  const checksum = checksumOf(bytes);
  noteRead(bytes, checksum);
  return { versionId, stripe, index, k, m, bytes, checksum };
}
