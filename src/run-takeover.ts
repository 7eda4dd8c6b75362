import { existsSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import type { ClusterMember } from './cluster/cluster-member.js';
import { PeerNodeSource } from './cluster/peer-node-source.js';
import { Takeover } from './cluster/takeover.js';
import { DomainError } from './common/errors.js';
import { readKeyRing } from './crypto/key-ring-file.js';
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
    rebuild: async (file, progress, stop) => {
      const source = new PeerNodeSource(member);
      const app = await NestFactory.createApplicationContext(RecoveryModule.forRoot(config, { file, source }), {
        abortOnError: false,
        bufferLogs: true,
        autoFlushLogs: false,
      });
      try {
        return await app.get(RebuildService).run(progress, stop);
      } finally {
        await app.close();
      }
    },
  });
  await takeover.run(isForced, say, signal);
}
