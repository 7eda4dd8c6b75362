import { isDeepStrictEqual } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { ClusterFile, type MapChange } from '../config/cluster-file.js';
import type { ClusterMap } from '../config/cluster-map.js';
import type { ClusterMember } from './cluster-member.js';
import { PeerNodeSource } from './peer-node-source.js';

/**
 * The map of a process that is the gateway, as the configuration of this start wants it. More nodes, or a lower `redundancy_count`, than at the
 * last start take effect as by a reload: when so many nodes know of it that no takeover can miss it. Until then this waits, since a reader of
 * the map cannot tell what is in effect.
 * @param onWait called when it has to wait
 * @returns undefined if it is not the gateway any more, or is to end
 */
export async function openOwnMap(
  member: ClusterMember,
  onWait: () => void,
  signal: AbortSignal,
): Promise<ClusterFile | undefined> {
  const { config, map } = member;
  const { storage_directory: directory, node_count: count } = config;
  const there = ClusterFile.peek(directory);
  // An older copy of the file was put back: the nodes know better.
  if (there !== undefined && map !== undefined && map.revision > there.revision) ClusterFile.restore(directory, map);
  const known = ClusterFile.peek(directory);
  const isNew = known === undefined || known.nodes.every(({ ready }) => !ready);
  const file = ClusterFile.open(directory, isNew ? count : Math.min(count, known.nodes.length));
  // The process ended while it told others of a change: with the same revision they know what never took effect.
  if (map?.revision === file.map.revision && !isDeepStrictEqual(map, file.map)) file.change((nodes) => nodes);
  return (await agree(file, { member, onWait }, signal)) ? file : undefined;
}

interface Waiting {
  readonly member: ClusterMember;
  readonly onWait: () => void;
}

async function agree(file: ClusterFile, { member, onWait }: Waiting, signal: AbortSignal): Promise<boolean> {
  const { config } = member;
  const needed = (file.map.redundancy ?? config.redundancy_count) + 1;
  if (!file.propose(changeOf(file.map, config))) return true;
  const source = new PeerNodeSource(member);
  for (let known = -1; !signal.aborted && member.map?.term === file.map.term;) {
    const keeping = await source.tell(file);
    if (keeping.length >= needed) {
      file.settle(true);
      return true;
    }
    onWait();
    if (keeping.length !== known)
      new Logger('Cluster').warn(
        { known: keeping, needed },
        'the configuration has more nodes or a lower redundancy_count than before, and too few nodes can be told: it waits for them',
      );
    known = keeping.length;
    await pause(config.limits.probe_interval_ms, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

function changeOf({ redundancy }: ClusterMap, { node_count: nodeCount, redundancy_count: configured }: AppConfig): MapChange {
  return { nodeCount, ...(redundancy !== undefined && configured < redundancy ? { redundancy: configured } : {}) };
}
