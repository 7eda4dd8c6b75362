import { existsSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import type { ClusterMember } from './cluster/cluster-member.js';
import { PeerNodeSource } from './cluster/peer-node-source.js';
import { Takeover } from './cluster/takeover.js';
import { DomainError, errorCode } from './common/errors.js';
import type { AppConfig } from './config/app-config.js';
import type { ClusterFile } from './config/cluster-file.js';
import { readKeyRing } from './crypto/key-ring-file.js';
import { indexPlaceOf } from './metadata/open-index-place.js';
import type { NodeProgress } from './recovery/index-rebuild.js';
import { RecoveryModule } from './recovery/recovery.module.js';
import { RebuildService } from './recovery/rebuild.service.js';

export interface TakeoverOrder {
  /** Also from a gateway that answers. */
  readonly isForced: boolean;
  /** Takes each line of progress. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Takes over in the process that is to be the gateway; see {@link Takeover}. */
export async function runTakeover(member: ClusterMember, { isForced, say, signal }: TakeoverOrder): Promise<void> {
  const { config } = member;
  const takeover = new Takeover({
    member,
    requireKeys: ({ clusterId }) => {
      const { key_ring: path } = config;
      if (path === null || !existsSync(path)) {
        throw new DomainError(
          'storage-missing',
          `the key ring ${String(path)} is missing, and without it no record can be read: put the copy of the old gateway's there`,
        );
      }
      readKeyRing(path, clusterId);
    },
    takeIndex: async (file, tell, stop) => {
      if (await seizeIndex(config, file)) tell('the index is in the database and stays as it is');
      else await rebuild(member, file, { say: tell, signal: stop });
    },
  });
  await takeover.run(isForced, say, signal);
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
  { say, signal }: Omit<TakeoverOrder, 'isForced'>,
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
