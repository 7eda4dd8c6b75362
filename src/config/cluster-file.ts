import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError, errorCode } from '../common/errors.js';
import { writeFileDurably } from '../common/durable-file.js';
import { newId, type ClusterId, type NodeId } from '../common/ids.js';
import { makeFolder } from '../common/make-folder.js';
import { membersOf, parseClusterMap, type ClusterMap, type ClusterMapNode } from './cluster-map.js';

const NAME = 'cluster.json';

/** What makes it harder to take over without a node that has something: more nodes, or fewer of them that each file lies on. */
export interface MapChange {
  /** Nodes there are to be, in all. */
  readonly nodeCount: number;
  /** What {@link ClusterMap.redundancy} becomes; absent: what it is. */
  readonly redundancy?: number;
}

interface Proposal {
  readonly added: readonly ClusterMapNode[];
  readonly redundancy: number | undefined;
}

/** Told of each change of the map, after it is durable. */
export type ClusterFileListener = (map: ClusterMap) => void;

/**
 * `cluster.json` in the storage directory: the id of this cluster and those of its nodes. It is what tells a first start from a loss:
 * a missing node, index or key ring is made only while the cluster is new, and never filled in silently later. In a cluster of peers it
 * is the gateway's, and stands for the index beside it: where the file is of a lower term than the nodes', the index is not in use any more.
 */
export class ClusterFile {
  private listener: ClusterFileListener = () => undefined;
  private proposal: Proposal | undefined;

  private constructor(
    private readonly path: string,
    private contents: ClusterMap,
  ) {}

  /** Reads the file, or makes it in a directory that is empty; new nodes up to `nodeCount` get their ids. */
  static open(directory: string, nodeCount: number, gateway = 1): ClusterFile {
    const path = join(directory, NAME);
    try {
      makeFolder(directory);
      const found = read(path) ?? create(directory, gateway);
      const { nodes } = ClusterFile.fitted(directory, found, nodeCount);
      const cluster = new ClusterFile(path, found);
      if (nodes.length !== found.nodes.length) cluster.change(() => nodes);
      return cluster;
    } catch (cause) {
      if (cause instanceof DomainError) throw cause;
      throw new DomainError('storage-unusable', `storage_directory ${directory} cannot be used: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** A map with the nodes that a configuration has. @throws DomainError `storage-mismatch` if it leaves one out */
  static fitted(directory: string, map: ClusterMap, nodeCount: number): ClusterMap {
    const nodes = fitted(map.nodes, nodeCount, (at) => existsSync(join(directory, `node_${at + 1}`, 'node.json')));
    if (nodes !== undefined) return { ...map, nodes };
    throw new DomainError(
      'storage-mismatch',
      `node_count is ${nodeCount} and ${join(directory, NAME)} knows ${map.nodes.length} nodes: none may just be left out`,
    );
  }

  /** The map that a directory has, if it has one. @throws DomainError `storage-unusable` if it is damaged */
  static peek(directory: string): ClusterMap | undefined {
    return read(join(directory, NAME));
  }

  /** Puts a map that the nodes agreed on into a directory whose index is of its term. */
  static restore(directory: string, map: ClusterMap): ClusterFile {
    const cluster = new ClusterFile(join(directory, NAME), map);
    cluster.write(map);
    return cluster;
  }

  /** A map as another one is to see it, without a file: for who looks at a cluster and changes nothing of it. */
  static of(directory: string, map: ClusterMap): ClusterFile {
    return new ClusterFile(join(directory, NAME), map);
  }

  get map(): ClusterMap {
    return this.contents;
  }

  get clusterId(): ClusterId {
    return this.contents.clusterId;
  }

  /** True as long as no node has been ready: then nothing can have been stored yet. */
  get isNew(): boolean {
    return this.contents.nodes.every((node) => !node.ready);
  }

  /** The entry of node `number` (from 1). */
  node(number: number): ClusterMapNode {
    const entry = this.contents.nodes[number - 1];
    if (entry === undefined) throw new RangeError(`there is no node ${number}`);
    return entry;
  }

  /** The map that others are to have: what is proposed is a part of it, also of what is changed meanwhile. */
  get told(): ClusterMap {
    const { contents, proposal } = this;
    if (proposal === undefined) return contents;
    const { added, redundancy = contents.redundancy } = proposal;
    return { ...contents, ...(redundancy === undefined ? {} : { redundancy }), nodes: [...contents.nodes, ...added] };
  }

  /**
   * Begins a change that others have to know before it takes effect here: it is {@link told} under the next revision, and nothing of it is in the
   * map or in the file before {@link settle}. A crash meanwhile leaves a map that some nodes know, and the next revision goes on without it.
   * @returns whether there is anything to change
   */
  propose({ nodeCount, redundancy }: MapChange): boolean {
    const added = Array.from({ length: Math.max(0, nodeCount - this.contents.nodes.length) }, newNode);
    if (added.length === 0 && redundancy === undefined) return false;
    this.write({ ...this.contents, revision: this.contents.revision + 1 });
    this.proposal = { added, redundancy };
    return true;
  }

  /** Lets what was proposed take effect, durably, or takes it back. Returns the numbers of the nodes that came. */
  settle(isAccepted: boolean): readonly number[] {
    const before = this.contents.nodes.length;
    const map = isAccepted ? this.told : this.contents;
    this.proposal = undefined;
    this.write({ ...map, revision: map.revision + 1 });
    this.listener(this.contents);
    return this.contents.nodes.slice(before).map((_, at) => before + at + 1);
  }

  /** Changes the entry of node `number`, durably. */
  changeNode(number: number, work: (node: ClusterMapNode) => ClusterMapNode): void {
    this.node(number);
    this.change((nodes) => nodes.map((node, at) => (at === number - 1 ? work(node) : node)));
  }

  /** Numbers of the nodes that were not removed. */
  get members(): readonly number[] {
    return membersOf(this.contents);
  }

  /** Notes, durably, that nodes exist and that from now on their absence is a loss. */
  markReady(numbers: readonly number[]): void {
    if (numbers.every((number) => this.node(number).ready)) return;
    this.change((nodes) => nodes.map((node, index) => ({ ...node, ready: node.ready || numbers.includes(index + 1) })));
  }

  /** Changes the entries of the nodes, durably; the map gets its next revision. */
  change(work: (nodes: readonly ClusterMapNode[]) => readonly ClusterMapNode[]): void {
    this.write({ ...this.contents, revision: this.contents.revision + 1, nodes: work(this.contents.nodes) });
    this.listener(this.contents);
  }

  /** Notes, durably, how many nodes may be lost without losing a file. */
  noteRedundancy(redundancy: number): void {
    if (this.contents.redundancy === redundancy) return;
    this.write({ ...this.contents, redundancy, revision: this.contents.revision + 1 });
    this.listener(this.contents);
  }

  /** Notes, durably, when it was asked that all nodes be made equally full; undefined: that has ended. */
  noteRebalance(since: number | undefined): void {
    const { rebalancing, ...map } = this.contents;
    if (rebalancing === since) return;
    this.write({ ...map, ...(since === undefined ? {} : { rebalancing: since }), revision: map.revision + 1 });
    this.listener(this.contents);
  }

  onChange(listener: ClusterFileListener): void {
    this.listener = listener;
  }

  /** In a directory that processes share, a later gateway's file stays: this one has slept, and was taken over from. */
  private write(map: ClusterMap): void {
    const there = read(this.path);
    if (there?.clusterId === map.clusterId && there.term > map.term) {
      throw new DomainError('storage-mismatch', `${this.path} is of term ${there.term} by now, and this process of ${map.term}`);
    }
    writeFileDurably(this.path, `${JSON.stringify(map, null, 2)}\n`);
    this.contents = map;
  }
}

/** An entry for a node that never was. */
export function newNode(): ClusterMapNode {
  return { nodeId: newId<NodeId>(), ready: false, state: 'active' };
}

/**
 * The nodes as a configuration of `nodeCount` has them; undefined if it leaves one out. An entry of a node that never came to be may go
 * again; one that did may hold files, or will be met again. One that was removed may be left out, and its number is still never given again.
 */
function fitted(
  found: readonly ClusterMapNode[],
  nodeCount: number,
  exists: (at: number) => boolean,
): readonly ClusterMapNode[] | undefined {
  const isLeftOut = ({ state, ready }: ClusterMapNode, at: number): boolean =>
    at >= nodeCount && state !== 'removed' && (ready || exists(at));
  if (found.some(isLeftOut)) return undefined;
  const lastRemoved = found.findLastIndex(({ state }) => state === 'removed');
  const kept = found.slice(0, Math.max(nodeCount, lastRemoved + 1));
  return [...kept, ...Array.from({ length: nodeCount - kept.length }, newNode)];
}

function read(path: string): ClusterMap | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const map = parseClusterMap(text);
  if (map === undefined) throw new DomainError('storage-unusable', `${path} is damaged, or of a newer version`);
  return map;
}

function create(directory: string, gateway: number): ClusterMap {
  // An empty node_1 is no stranger: it may be the mount point of a disk that was made ready for us.
  const strangers = readdirSync(directory).filter(
    (name) =>
      /^(index|key-ring\.json)$/.test(name) || (/^node_\d+$/.test(name) && existsSync(join(directory, name, 'node.json'))),
  );
  if (strangers.length > 0) {
    throw new DomainError(
      'storage-missing',
      `${directory} holds ${strangers.join(', ')} but no ${NAME}: what lies there belongs to a cluster that it cannot name`,
    );
  }
  return { format: 2, clusterId: newId<ClusterId>(), term: 1, revision: 1, gateway, nodes: [] };
}
