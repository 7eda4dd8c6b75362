import { DomainError } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import { compareMaps, membersOf, type ClusterMap } from '../config/cluster-map.js';
import type { PeerHello } from '../nodes/peer/peer-hello.js';
import { NodeError } from '../nodes/storage-node.js';
import type { ClusterMember } from './cluster-member.js';

export interface TakeoverParts {
  readonly member: ClusterMember;
  /** Whether this process has the keys: those of these fingerprints, which the gateway had, as others heard. @throws DomainError if not */
  readonly requireKeys: (map: ClusterMap, fingerprints: readonly string[]) => void;
  /** Gives the next term to this process alone. @throws DomainError if the index cannot be reached, where it does not go with the old gateway */
  readonly claimTerm: (map: ClusterMap) => Promise<number>;
  /** From here on the nodes obey this process. */
  readonly onFenced: () => void;
  /** Makes the index this process's: anew from the nodes, or as it is, where it does not go with the old gateway. */
  readonly takeIndex: (file: ClusterFile, say: (line: string) => void, signal: AbortSignal) => Promise<void>;
}

/**
 * Makes the process of this node the gateway, at the word of a person or by itself. First so many nodes are told of the next term that fewer than a
 * write needs still obey the old gateway; then the index is taken; and `cluster.json`, which says that the index is of this
 * term, comes last. So it can be repeated from the beginning wherever it was interrupted (docs/adr/0011).
 */
export class Takeover {
  constructor(private readonly parts: TakeoverParts) {}

  /** @throws DomainError `takeover-refused`, `not-enough-nodes`, `storage-missing` and those of a rebuild */
  async run(isForced: boolean, say: (line: string) => void, signal: AbortSignal): Promise<void> {
    const { member, requireKeys, claimTerm, takeIndex, onFenced } = this.parts;
    const answers = await member.hearAll(signal);
    const map = this.present(answers, isForced);
    requireKeys(map, keysOf(map, answers));
    const next = { ...map, term: await claimTerm(map), revision: 1, gateway: member.number };
    const took = await this.fence(next, [...answers.keys()], signal);
    onFenced();
    say(`term ${next.term}: nodes ${took.join(', ')} obey node ${member.number} now`);
    const file = ClusterFile.of(member.config.storage_directory, next);
    await takeIndex(file, say, signal);
    ClusterFile.restore(member.config.storage_directory, next);
  }

  /** The newest map of all that answer, if they are enough to go on with. */
  private present(answers: ReadonlyMap<number, PeerHello>, isForced: boolean): ClusterMap {
    const { map, config, number } = this.parts.member;
    if (map === undefined) throw new DomainError('takeover-refused', 'none of the peers that answer knows of a cluster');
    const gateway = answers.get(map.gateway);
    const isServing = gateway?.map?.gateway === map.gateway && gateway.hears !== null;
    if (!isForced && map.gateway !== number && isServing) {
      throw new DomainError(
        'takeover-refused',
        `the process of node ${map.gateway} holds the index and answers: stop it first, or use --force if it is not to go on`,
      );
    }
    const members = membersOf(map);
    if (!members.includes(number)) throw new DomainError('takeover-refused', `node ${number} was removed from the cluster`);
    // What was added since this process read its configuration would be out of its reach, and with it what lies there.
    const unknown = members.filter((node) => node > config.peers.length);
    if (unknown.length > 0) {
      throw new DomainError(
        'takeover-refused',
        `the cluster has node ${unknown.join(', ')}, of which the configuration of this process says nothing: correct it and send SIGHUP first`,
      );
    }
    const isWhole = (node: number): boolean => map.nodes[node - 1]?.lostBefore === undefined;
    // A disk that is new since this map is another node: the index could not be made from it.
    const isThere = (node: number): boolean =>
      node === number ||
      (answers.get(node)?.clusterId === map.clusterId && answers.get(node)?.nodeId === map.nodes[node - 1]?.nodeId);
    const reachable = members.filter(isThere).length;
    const needed = neededOf(map, config);
    if (reachable < needed) throw notEnough(reachable, needed);
    // The index could not be made, and to find that out only behind the fence would leave the cluster without a gateway.
    const whole = members.filter((node) => isThere(node) && isWhole(node)).length;
    if (whole < needed) throw notWhole(whole, needed);
    return map;
  }

  /** Tells the nodes of the new term; returns who took it. */
  private async fence(next: ClusterMap, others: readonly number[], signal: AbortSignal): Promise<readonly number[]> {
    const { member } = this.parts;
    const { config, clients, local, number } = member;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(config.limits.node_call_ms_max)]);
    const took: number[] = [];
    const tell = async (node: number): Promise<void> => {
      await (node === number ? local.takeMap(next, limit) : clients.get(node)?.giveMap(next, limit));
      took.push(node);
    };
    const told = await Promise.allSettled([number, ...others].map(tell));
    for (const result of told)
      if (result.status === 'rejected' && !(result.reason instanceof NodeError) && !limit.aborted) throw result.reason;
    signal.throwIfAborted();
    const needed = neededOf(next, config);
    const members = membersOf(next);
    const obeying = took.filter((node) => members.includes(node)).length;
    if (obeying < needed) throw notEnough(obeying, needed);
    member.learn(next);
    if (member.map !== undefined && compareMaps(member.map, next) > 0)
      throw new DomainError('takeover-refused', `another takeover was faster: term ${member.map.term} has begun`);
    return took.sort((a, b) => a - b);
  }
}

/** The fingerprints of all keys that the gateway had, as far as anybody who answers has heard. */
function keysOf({ gateway }: ClusterMap, answers: ReadonlyMap<number, PeerHello>): readonly string[] {
  const heard = [...answers.values()].filter(({ map }) => map?.gateway === gateway);
  return [...new Set(heard.flatMap(({ keys = [] }) => keys))];
}

/**
 * So many nodes have to obey that fewer than a write needs do not. What counts is the map: this process may not have read its configuration since
 * nodes came or went, or `redundancy_count` was changed.
 */
function neededOf(map: ClusterMap, { redundancy_count: configured }: AppConfig): number {
  return membersOf(map).length - Math.min(configured, map.redundancy ?? Infinity);
}

function notEnough(reachable: number, needed: number): DomainError {
  return new DomainError(
    'not-enough-nodes',
    `${reachable} nodes can be reached and ${needed} must take the new term, or the old gateway might go on writing to those that are missing`,
  );
}

function notWhole(whole: number, needed: number): DomainError {
  return new DomainError(
    'not-enough-nodes',
    `${whole} nodes can be reached that have all they ever had, and ${needed} must be read, or files would be missing: others have a new disk and are not restored yet`,
  );
}
