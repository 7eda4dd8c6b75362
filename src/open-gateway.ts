import { Logger } from '@nestjs/common';
import type { ClusterMember } from './cluster/cluster-member.js';
import type { ClusterRole } from './cluster/cluster-role.js';
import { MapKeeper } from './cluster/map-keeper.js';
import { PeerNodeSource } from './cluster/peer-node-source.js';
import type { ClusterFile } from './config/cluster-file.js';
import { openApp, type OpenApp } from './create-app.js';
import type { DelegatedReads } from './files/delegated-reads.service.js';
import { ClusterView } from './nodes/cluster-view.js';
import type { ReadDesk } from './nodes/peer/read-desk.js';
import { NodeError } from './nodes/storage-node.js';

/** Opens the role of the gateway: index, keys, files. @throws DomainError with one of the codes of a start that fails */
export async function openGateway(member: ClusterMember, file: ClusterFile): Promise<ClusterRole> {
  const view = new ClusterView(member.number, () => member.config.peers);
  const keeper = new MapKeeper({ member, file, view });
  // Before the nodes are probed for the first time, so that those of a new cluster are there by then.
  await keeper.round();
  let app: OpenApp | undefined;
  try {
    app = await openApp(member.config, { file, live: member.live, tls: member.tls, source: new PeerNodeSource(member), view });
    const opened = app;
    keeper.start();
    return {
      name: 'gateway',
      answer: opened.answer,
      desk: deskOf(opened.delegatedReads),
      heard: () => ({ hears: member.number, keys: opened.keys() }),
      silentMs: () => 0,
      reload: opened.reload,
      close: async () => {
        await keeper.stop();
        await opened.close();
      },
    };
  } catch (error) {
    await keeper.stop();
    // What could not be begun is what matters; that it did not end in good order either, the log says.
    await app
      ?.close()
      .catch((cause: unknown) => new Logger('Cluster').error({ err: cause }, 'the gateway did not end in good order'));
    throw error;
  }
}

function deskOf(reads: DelegatedReads): ReadDesk {
  return {
    layout: (versionId, page, signal) => reads.layout(versionId, page, signal),
    lease: (leases) => reads.lease(leases),
    damaged: (found) => {
      for (const { node, shard, kind } of found)
        reads.damaged(node, shard, new NodeError(kind, 'a peer that read it found it so'));
    },
  };
}
