import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError, errorCode } from '../common/errors.js';
import { writeFileDurably } from '../common/durable-file.js';
import { newId, parseId, type ClusterId, type NodeId } from '../common/ids.js';

interface NodeEntry {
  readonly nodeId: NodeId;
  /** False until the node was made and everything else was too: then its absence is a loss and not a beginning. */
  readonly ready: boolean;
}

interface Contents {
  readonly format: 1;
  readonly clusterId: ClusterId;
  readonly nodes: readonly NodeEntry[];
}

const NAME = 'cluster.json';

/**
 * `cluster.json` in the storage directory: the id of this cluster and those of its nodes. It is what tells a first start from a loss:
 * a missing node, index or key ring is made only while the cluster is new, and never filled in silently later.
 */
export class ClusterFile {
  private constructor(
    private readonly path: string,
    private contents: Contents,
  ) {}

  /** Reads the file, or makes it in a directory that is empty; new nodes up to `nodeCount` get their ids. */
  static open(directory: string, nodeCount: number): ClusterFile {
    const path = join(directory, NAME);
    try {
      mkdirSync(directory, { recursive: true });
      const found = read(path) ?? create(directory);
      // Entries of nodes that never came to be may go again; one that did may hold files, or will be met again.
      const exists = (at: number): boolean => existsSync(join(directory, `node_${at + 1}`, 'node.json'));
      if (found.nodes.some(({ ready }, at) => at >= nodeCount && (ready || exists(at)))) {
        throw new DomainError(
          'storage-mismatch',
          `node_count is ${nodeCount} and ${path} knows ${found.nodes.length} nodes: none may just be left out`,
        );
      }
      const kept = found.nodes.slice(0, nodeCount);
      const added = Array.from({ length: nodeCount - kept.length }, () => ({ nodeId: newId<NodeId>(), ready: false }));
      const cluster = new ClusterFile(path, found);
      if (added.length > 0 || kept.length < found.nodes.length) cluster.write({ ...found, nodes: [...kept, ...added] });
      return cluster;
    } catch (cause) {
      if (cause instanceof DomainError) throw cause;
      throw new DomainError('storage-unusable', `storage_directory ${directory} cannot be used: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  get clusterId(): ClusterId {
    return this.contents.clusterId;
  }

  /** True as long as no node has been ready: then nothing can have been stored yet. */
  get isNew(): boolean {
    return this.contents.nodes.every((node) => !node.ready);
  }

  /** The entry of node `number` (from 1). */
  node(number: number): NodeEntry {
    const entry = this.contents.nodes[number - 1];
    if (entry === undefined) throw new RangeError(`there is no node ${number}`);
    return entry;
  }

  /** Notes, durably, that nodes exist and that from now on their absence is a loss. */
  markReady(numbers: readonly number[]): void {
    if (numbers.every((number) => this.node(number).ready)) return;
    const nodes = this.contents.nodes.map((node, index) => ({ ...node, ready: node.ready || numbers.includes(index + 1) }));
    this.write({ ...this.contents, nodes });
  }

  private write(contents: Contents): void {
    writeFileDurably(this.path, `${JSON.stringify(contents, null, 2)}\n`);
    this.contents = contents;
  }
}

function read(path: string): Contents | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const contents = parse(text);
  if (contents === undefined) throw new DomainError('storage-unusable', `${path} is damaged, or of a newer version`);
  return contents;
}

function parse(text: string): Contents | undefined {
  try {
    const value = JSON.parse(text) as Partial<Contents>;
    const isSound =
      value.format === 1 &&
      parseId(String(value.clusterId)) !== undefined &&
      Array.isArray(value.nodes) &&
      value.nodes.every(
        (node: Partial<NodeEntry>) => parseId(String(node.nodeId)) !== undefined && typeof node.ready === 'boolean',
      );
    return isSound ? (value as Contents) : undefined;
  } catch {
    return undefined;
  }
}

function create(directory: string): Contents {
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
  return { format: 1, clusterId: newId<ClusterId>(), nodes: [] };
}
