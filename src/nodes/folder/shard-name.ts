import { join } from 'node:path';
import { parseId, type VersionId } from '../../common/ids.js';
import { NodeError, type ShardId } from '../storage-node.js';

/** The directory under a node's folder that holds the shards. */
export const SHARDS_DIRECTORY = 'shards';

/** The names of the 256 directories over which shards fan out, so that none grows too large to be walked. */
export const FAN_OUT: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const VERSION_HEX = /^[0-9a-f]{32}$/;
const SHARD_NAME = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})-([0-9a-f]{1,14})-([0-9]{1,3})$/;
const TEMP_NAME = /^[0-9a-f]{32}-[0-9a-f]{1,14}-[0-9]{1,3}\.([0-9a-f]{16})-[0-9]+\.temp$/;

/** Where a shard lies under the node's folder: its directory there, and its name in that. */
export interface ShardPlace {
  readonly directory: string;
  readonly name: string;
}

/**
 * The place of a shard. The last byte of the version chooses the directory: it is random, while the first ones are a clock that would
 * send all of an hour's shards into one directory.
 */
export function shardPlace(id: ShardId): ShardPlace {
  const version = id.versionId.replaceAll('-', '');
  // The name becomes a path: whatever got past the parsing at the edge ends here.
  if (
    !VERSION_HEX.test(version) ||
    !Number.isSafeInteger(id.stripe) ||
    id.stripe < 0 ||
    !Number.isSafeInteger(id.index) ||
    id.index < 0 ||
    id.index > 255
  ) {
    throw new NodeError(
      'rejected',
      `${JSON.stringify(id.versionId)}, stripe ${id.stripe}, index ${id.index} is no id of a shard`,
    );
  }
  return { directory: join(SHARDS_DIRECTORY, version.slice(-2)), name: `${version}-${id.stripe.toString(16)}-${id.index}` };
}

/** The shard whose file has this name in this directory of the fan-out; undefined for every name that we would not have given it. */
export function parseShardName(fanOut: string, name: string): ShardId | undefined {
  const match = SHARD_NAME.exec(name);
  if (match === null) return undefined;
  const versionId = parseId<VersionId>(match.slice(1, 6).join('-'));
  const stripe = Number.parseInt(match[6] ?? '', 16);
  const index = Number(match[7]);
  if (versionId === undefined || !Number.isSafeInteger(stripe) || index > 255) return undefined;
  const isCanonical = name.endsWith(`-${stripe.toString(16)}-${index}`) && versionId.endsWith(fanOut);
  return isCanonical ? { versionId, stripe, index } : undefined;
}

/** The name under which a shard is written until it is whole. `opening` tells the process that writes it from one that crashed. */
export function tempName(name: string, opening: string, count: number): string {
  return `${name}.${opening}-${count}.temp`;
}

/** The opening whose temp file has this name; undefined if it is not the name of one. */
export function openingOfTemp(name: string): string | undefined {
  return TEMP_NAME.exec(name)?.[1];
}
