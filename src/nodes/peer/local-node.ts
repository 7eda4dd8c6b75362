import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../common/errors.js';
import type { ClusterId, NodeId } from '../../common/ids.js';
import { within } from '../../common/within.js';
import { compareMaps, parseClusterMap, type ClusterMap } from '../../config/cluster-map.js';
import type { Limits } from '../../config/limits.js';
import { CLUSTER_MAP_FILE } from '../folder/create-folder.js';
import { syncDirectory, writeWhole } from '../folder/durable-files.js';
import { NODE_FILE_CALLS } from '../folder/file-calls.js';
import { asNodeErrors } from '../folder/file-errors.js';
import { FolderStorageNode } from '../folder/folder.storage-node.js';
import { readIdentity, type NodeIdentity } from '../folder/node-identity.js';
import { Slots } from '../folder/slots.js';
import { NodeError, type StorageNode } from '../storage-node.js';

export interface LocalNodeOptions {
  /** The absolute path of the node's folder. */
  readonly directory: string;
  readonly number: number;
  readonly limits: Limits;
  readonly packBelow: number;
  readonly bytesFreeMin: number;
}

/** Whom a call is for and for which term its caller speaks. */
export interface NodeCall {
  readonly clusterId?: ClusterId | undefined;
  readonly nodeId?: NodeId | undefined;
  readonly term: number;
}

interface CallUnderWay {
  readonly term: number;
  readonly controller: AbortController;
  readonly ended: Promise<unknown>;
}

/**
 * The folder node of this process, as others may use it: with the map of the cluster, durably beside its shards, and with the fence, so
 * that a gateway of an earlier term can neither read nor change anything once the map of a later one has come.
 */
export class LocalNode {
  private folder: FolderStorageNode | undefined;
  private identity: NodeIdentity | undefined;
  private current: ClusterMap | undefined;
  /** The map that the folder has: another one if the present one came while the folder was not there, or could not be written. */
  private kept: ClusterMap | undefined;
  /** The lowest term that is served; ahead of the map's while that is becoming durable. */
  private fence = 0;
  private readonly underWay = new Set<CallUnderWay>();
  private readonly listeners: ((map: ClusterMap) => void)[] = [];
  /** What changes the folder's place in the cluster goes one after the other. */
  private readonly control = new Slots(1);
  private failure: NodeError | undefined;

  private constructor(private readonly options: LocalNodeOptions) {}

  /**
   * Takes in the folder if it is a node; if it is none, or cannot be read now, looks again with later calls.
   * @throws DomainError `storage-locked` if another process has it
   */
  static async open(options: LocalNodeOptions, signal: AbortSignal): Promise<LocalNode> {
    const local = new LocalNode(options);
    try {
      await within(signal, local.look(signal));
    } catch (error) {
      if (!(error instanceof NodeError) && !signal.aborted) throw error;
    }
    return local;
  }

  get number(): number {
    return this.options.number;
  }

  get node(): StorageNode | undefined {
    return this.folder;
  }

  /** The ids of the folder; undefined if it is no node yet. */
  get ids(): { readonly clusterId: ClusterId; readonly nodeId: NodeId } | undefined {
    return this.identity;
  }

  get map(): ClusterMap | undefined {
    return this.current;
  }

  /** Makes the node, in a folder that never was one. For the same identity it does nothing; else it throws `rejected`. */
  async create(ids: { readonly clusterId: ClusterId; readonly nodeId: NodeId }, signal: AbortSignal): Promise<void> {
    await this.look(signal);
    await this.control.run(async () => {
      const { clusterId, nodeId } = ids;
      if (this.identity?.clusterId === clusterId && this.identity.nodeId === nodeId) return this.keepMap();
      await this.leaveLost();
      if (this.current !== undefined && this.current.clusterId !== clusterId) throw otherCluster();
      const identity = { clusterId, nodeId, node: this.number };
      this.folder = await FolderStorageNode.create(this.folderOptions(identity), signal);
      this.identity = identity;
      this.failure = undefined;
      return this.keepMap();
    }, signal);
  }

  /** The node, for a caller that may use it. Throws `rejected` for one of another cluster, for another node and for one of an earlier term ("fenced: …"). */
  admit({ clusterId, nodeId, term }: NodeCall): StorageNode {
    if (this.folder === undefined || this.identity === undefined)
      throw this.failure ?? new NodeError('rejected', 'its folder is no node, or no longer');
    if (clusterId !== this.identity.clusterId) throw otherCluster();
    if (nodeId !== this.identity.nodeId)
      throw new NodeError('rejected', `it is another node: ${this.identity.nodeId}, not ${nodeId ?? 'one without an id'}`);
    if (term < this.fence) throw new NodeError('rejected', `fenced: term ${term} is over, ${this.fence} has begun`);
    return this.folder;
  }

  /**
   * Does work with the node for a caller that {@link admit} takes. When a map of a later term comes, the work is aborted and awaited before
   * that map counts: nothing that the old gateway began becomes durable or is acknowledged behind it.
   */
  async use<Result>(
    call: NodeCall,
    signal: AbortSignal,
    work: (node: StorageNode, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    if (this.folder === undefined) await this.look(signal);
    const node = this.admit(call);
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const result = work(node, controller.signal);
    const entry = { term: call.term, controller, ended: result.catch(() => undefined) };
    this.underWay.add(entry);
    try {
      if (signal.aborted) onAbort();
      return await result;
    } finally {
      this.underWay.delete(entry);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Resolves when the map is durable, or when there is a newer one of the same term. Throws `rejected` for another cluster, for an earlier
   * term ("fenced: …") and for another map with the term and the revision of this one. Without a folder the map is only known, not kept.
   */
  async takeMap(map: ClusterMap, signal: AbortSignal): Promise<void> {
    if (this.folder === undefined) await this.look(signal);
    const isNew = await this.control.run(() => this.replaceMap(map), signal);
    if (isNew) for (const listener of this.listeners) listener(map);
  }

  /** Calls the listener with each map that counts from then on. */
  onMap(listener: (map: ClusterMap) => void): void {
    this.listeners.push(listener);
  }

  async close(): Promise<void> {
    await this.control.close();
    await this.folder?.close();
  }

  private async replaceMap(map: ClusterMap): Promise<boolean> {
    if (!this.isNewer(map)) {
      await this.keepMap();
      return false;
    }
    const before = this.fence;
    this.fence = Math.max(before, map.term);
    try {
      await this.endEarlierTerms();
      if (this.folder !== undefined) await this.writeMap(map);
    } catch (error) {
      this.fence = before; // it was never promised to anybody that the old term is over
      throw error;
    }
    this.current = map;
    return true;
  }

  private isNewer(map: ClusterMap): boolean {
    const { current } = this;
    const known = this.identity ?? current;
    if (known !== undefined && known.clusterId !== map.clusterId) throw otherCluster();
    if (current === undefined) return true;
    if (map.term < current.term) throw new NodeError('rejected', `fenced: term ${map.term} is over, ${current.term} has begun`);
    const order = compareMaps(map, current);
    if (order === 0 && JSON.stringify(map) !== JSON.stringify(current))
      throw new NodeError('rejected', `it has another map of term ${map.term}, revision ${map.revision}: two gateways claim it`);
    return order > 0;
  }

  private async endEarlierTerms(): Promise<void> {
    const earlier = [...this.underWay].filter(({ term }) => term < this.fence);
    const reason = new NodeError('rejected', `fenced: term ${this.fence} has begun`);
    for (const { controller } of earlier) controller.abort(reason);
    const late = new NodeError('unavailable', 'its disk does not end the calls of the earlier term');
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(late), this.options.limits.node_call_ms_max);
    try {
      await within(limit.signal, Promise.all(earlier.map(({ ended }) => ended)));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Makes up for what could not be written when it came. */
  private async keepMap(): Promise<void> {
    const { current } = this;
    if (this.folder !== undefined && current !== undefined && current !== this.kept) await this.writeMap(current);
  }

  private async writeMap(map: ClusterMap): Promise<void> {
    const { directory } = this.options;
    const target = join(directory, CLUSTER_MAP_FILE);
    await asNodeErrors('keeping the map of the cluster', async () => {
      const text = Buffer.from(`${JSON.stringify(map, null, 2)}\n`);
      await writeWhole(NODE_FILE_CALLS, { target, temp: `${target}.temp` }, [text]);
      await syncDirectory(NODE_FILE_CALLS, directory);
    });
    this.kept = map;
  }

  /** An empty folder in the place of the node's is a new disk: it may become another node, never the same one. */
  private async leaveLost(): Promise<void> {
    if (this.identity === undefined) return;
    const there = await asNodeErrors('reading its identity', () => readIdentity(this.options.directory));
    if (there !== undefined) throw new NodeError('rejected', 'its folder is another node already');
    await this.folder?.close();
    this.folder = undefined;
    this.identity = undefined;
    this.kept = undefined;
  }

  /** Takes in the folder, if it is a node and was not taken in yet. */
  private look(signal: AbortSignal): Promise<void> {
    return this.control.run(async () => {
      if (this.folder !== undefined) return;
      try {
        await this.takeIn(signal);
        this.failure = undefined;
      } catch (error) {
        if (error instanceof NodeError) this.failure = error;
        throw error;
      }
    }, signal);
  }

  private async takeIn(signal: AbortSignal): Promise<void> {
    const { directory, number } = this.options;
    const identity = await asNodeErrors('reading its identity', () => readIdentity(directory));
    if (identity === undefined) return;
    if (identity.node !== number) throw new NodeError('rejected', `its folder is that of node ${identity.node}, not ${number}`);
    const map = await asNodeErrors('reading the map of the cluster', () => readMap(join(directory, CLUSTER_MAP_FILE)));
    this.kept = map;
    if (map !== undefined && (this.current === undefined || compareMaps(map, this.current) >= 0)) {
      this.current = map;
      this.fence = Math.max(this.fence, map.term);
    }
    // A term that was promised while the folder was away: it has to hold after the next restart too.
    if (this.current !== undefined && this.current !== map) await this.writeMap(this.current);
    this.identity = identity;
    this.folder = new FolderStorageNode(this.folderOptions(identity));
    await this.folder.open(signal);
  }

  private folderOptions({ clusterId, nodeId, node }: NodeIdentity): ConstructorParameters<typeof FolderStorageNode>[0] {
    const { directory, limits, packBelow, bytesFreeMin } = this.options;
    return { directory, number: node, clusterId, nodeId, limits, packBelow, bytesFreeMin };
  }
}

/** A map that cannot be read is no map: without it a gateway whose term is over would be served. */
async function readMap(path: string): Promise<ClusterMap | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const map = parseClusterMap(text);
  if (map === undefined) throw new NodeError('rejected', `${CLUSTER_MAP_FILE} in its folder is damaged`);
  return map;
}

function otherCluster(): NodeError {
  return new NodeError('rejected', 'it is of another cluster');
}
