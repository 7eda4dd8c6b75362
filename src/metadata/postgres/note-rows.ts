import type { FileId, VersionId } from '../../common/ids.js';
import type { Damage, GarbageVersion, Tombstone } from '../metadata-store.js';
import type { Values } from './statement.js';

export interface TombstoneRow {
  readonly file_id: FileId;
  readonly revision: number;
  readonly kek_id: string;
  readonly nodes: readonly number[];
}

export interface GarbageRow {
  readonly version_id: VersionId;
  readonly nodes: readonly number[];
  readonly pages: number;
}

export interface DamageRow {
  readonly version_id: VersionId;
  readonly stripe: number;
  readonly index: number;
  readonly node: number;
}

export function toTombstone({ file_id: fileId, revision, kek_id: kekId, nodes }: TombstoneRow): Tombstone {
  return { fileId, revision, kekId, nodes };
}

export function toGarbage({ version_id: versionId, nodes, pages }: GarbageRow): GarbageVersion {
  return { versionId, nodes, pages };
}

export function toDamage({ version_id: versionId, stripe, index, node }: DamageRow): Damage {
  return { node, shard: { versionId, stripe, index } };
}

export function damageValues(damage: readonly Damage[]): Values {
  return {
    versionIds: damage.map(({ shard }) => shard.versionId),
    stripes: damage.map(({ shard }) => shard.stripe),
    indexes: damage.map(({ shard }) => shard.index),
    nodes: damage.map(({ node }) => node),
  };
}
