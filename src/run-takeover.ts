import { existsSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import type { ClusterMember } from './cluster/cluster-member.js';
import { PeerNodeSource } from './cluster/peer-node-source.js';
import { Takeover } from './cluster/takeover.js';
import { DomainError, errorCode } from './common/errors.js';
import type { AppConfig } from './config/app-config.js';
import { ClusterFile } from './config/cluster-file.js';
import type { ClusterMap } from './config/cluster-map.js';
import { readKeyRing } from './crypto/key-ring-file.js';
import { indexPlaceOf } from './metadata/open-index-place.js';
import type { NodeProgress } from './recovery/index-rebuild.js';
import { RecoveryModule } from './recovery/recovery.module.js';
import { RebuildService } from './recovery/rebuild.service.js';

export interface TakeoverOrder {
  /** The fingerprints of the keys that the gateway had when this process heard it last. */
  readonly keys: readonly string[];
  /** From when on the nodes obey this process. */
  readonly onFenced: () => void;
  /** Whether an index that is nowhere is made anew from the nodes. */
  readonly mayRebuild: boolean;
  /** Also from a gateway that answers. */
  readonly isForced: boolean;
  /** Takes each line of progress. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Takes over in the process that is to be the gateway; see {@link Takeover}. */
export async function runTakeover(
  member: ClusterMember,
  { keys, isForced, mayRebuild, onFenced, say, signal }: TakeoverOrder,
): Promise<void> {
  const { config } = member;
  const takeover = new Takeover({
    member,
    requireKeys: (map, others) => requireKeys(config, map, isForced ? [] : [...keys, ...others]),
    claimTerm: (map) => claimTerm(config, map, mayRebuild),
    onFenced,
    takeIndex: async (file, tell, stop) => {
      if (await seizeIndex(config, file)) tell('the index is in the database and stays as it is');
      else await rebuild(member, file, { say: tell, signal: stop });
    },
  });
  await takeover.run(isForced, say, signal);
}

/** @throws DomainError `storage-missing`, `key-missing` if the key ring lacks one that the gateway had, and those of `readKeyRing` */
function requireKeys({ key_ring: path }: AppConfig, { clusterId }: ClusterMap, wanted: readonly string[]): void {
  if (path === null || !existsSync(path)) {
    throw new DomainError(
      'storage-missing',
      `the key ring ${String(path)} is missing, and without it no record can be read: put the copy of the old gateway's there`,
    );
  }
  const there = new Set(readKeyRing(path, clusterId).fingerprints);
  const lacking = new Set(wanted.filter((key) => !there.has(key)).map((key) => key.split(':')[0]));
  if (lacking.size === 0) return;
  throw new DomainError(
    'key-missing',
    `the key ring ${path} lacks ${[...lacking].join(', ')}, which the gateway had: it is an older copy, or another one. Put the newest there`,
  );
}

async function claimTerm(config: AppConfig, map: ClusterMap, mayRebuild: boolean): Promise<number> {
  try {
    return await indexPlaceOf(config, ClusterFile.of(config.storage_directory, map)).claimTerm(map.term);
  } catch (error) {
    if (mayRebuild && errorCode(error) === 'storage-missing') return map.term + 1;
    throw error;
  }
}

/** Takes the index from a gateway that may still hold it; false if it is to be made anew. */
async function seizeIndex(config: AppConfig, file: ClusterFile): Promise<boolean> {
  const place = indexPlaceOf(config, file);
  if (place.isLocal) return false;
  try {
    await place.seize();
    return true;
  } catch (error) {
    if (errorCode(error) === 'storage-missing') return false;
    throw error;
  }
}

async function rebuild(
  member: ClusterMember,
  file: ClusterFile,
  { say, signal }: Pick<TakeoverOrder, 'say' | 'signal'>,
): Promise<void> {
  const source = new PeerNodeSource(member);
  const app = await NestFactory.createApplicationContext(RecoveryModule.forRoot(member.config, { file, source }), {
    abortOnError: false,
    bufferLogs: true,
    autoFlushLogs: false,
  });
  try {
    const count = file.map.nodes.length;
    const tell = ({ node, records }: NodeProgress): void => say(`node ${node} of ${count}: ${records} records read`);
    const result = await app.get(RebuildService).run({ progress: tell }, signal);
    for (const [node, reason] of result.missing) say(`node ${node}: not read (${reason})`);
    say(`the index is made anew: ${result.files} files, ${result.tombstones} deletions that some node may not know of yet`);
    for (const id of result.incomplete) say(`file ${id}: a part of its layout is on none of the nodes that were read`);
  } finally {
    await app.close();
  }
}
