import { release } from '../../common/release.js';
import { parseClusterMap } from '../../config/cluster-map.js';
import { letGo, provenChecksum } from '../read-bytes.js';
import { NodeError, type StorageNode } from '../storage-node.js';
import type { LocalNode } from './local-node.js';
import type { PeerAnswer } from './peer-answer.js';
import {
  decodeBatch,
  decodePull,
  decodeRecordHeads,
  decodeRecordKeys,
  decodeShardIds,
  decodeShardParts,
  encodeProbe,
  encodeRecord,
  encodeRecordHeads,
  encodeShardIds,
  type ShardPart,
} from './peer-codec.js';
import { encodeEntries, type Entry } from './peer-entries.js';
import { parseObject } from './peer-hello.js';
import type { PeerClaim } from './peer-proof.js';
import { pullShards } from './peer-pull.js';
import { decodeFoundDamage, decodeLeases, decodePageKey } from './read-desk-codec.js';
import type { ReadDesk } from './read-desk.js';

/** The parts of a LocalNode that are served. */
export type ServedNode = Pick<LocalNode, 'number' | 'ids' | 'map' | 'create' | 'use' | 'takeMap'>;

export interface Operation {
  readonly local: ServedNode;
  readonly claim: PeerClaim;
  readonly body: Uint8Array;
  readonly answer: PeerAnswer;
  readonly signal: AbortSignal;
  /** Another node of the cluster, to copy from; undefined if this process does not know where it is. */
  readonly sourceOf: (number: number) => StorageNode | undefined;
  /** Undefined if this process is not the gateway. */
  readonly desk: ReadDesk | undefined;
  /** Resolves when so many bytes may be in memory; the result is to be called when they are no more. */
  readonly room: (bytes: number, signal: AbortSignal) => Promise<() => void>;
}

type Work = (operation: Operation) => Promise<void>;
type DeskWork = (desk: ReadDesk, operation: Operation) => void | Promise<void>;
type NodeWork = (node: StorageNode, operation: Operation) => Promise<void>;

/** Items of one frame of a listing. */
const PAGE_ITEMS = 1000;
/** What a listing has found goes out after this time, however little it is. */
const PAGE_MS = 250;

const NODE_WORK: Readonly<Record<string, NodeWork>> = {
  put: async (node, { body, signal, answer }) => {
    await node.put(decodeBatch(body), signal);
    release(body);
    answer.end();
  },
  get: async (node, { body, signal, answer }) => {
    const parts = decodeShardParts(body);
    const found = await node.get(parts, signal);
    const entries = parts.map((part, at) => partOf(found[at], part));
    await answer.all(encodeEntries(entries));
    if (await answer.isSent()) for (const bytes of found) if (bytes instanceof Uint8Array) letGo(bytes);
  },
  pull: (node, operation) => operation.answer.stream(pulled(node, operation)),
  check: async (node, { body, signal, answer }) => {
    const found = await node.check(decodeShardIds(body), signal);
    await answer.all(encodeVerdicts(found));
  },
  delete: async (node, { body, signal, answer }) => {
    await node.delete(decodeShardIds(body), signal);
    answer.end();
  },
  records: async (node, { body, signal, answer }) => {
    const found = await node.getRecords(decodeRecordKeys(body), signal);
    await answer.all(encodeEntries(found.map((item) => (item instanceof NodeError ? item : encodeRecord(item)))));
  },
  forget: async (node, { body, signal, answer }) => {
    await node.forget(decodeRecordHeads(body), signal);
    answer.end();
  },
  list: (node, { signal, answer }) => answer.stream(pages(node.list(signal), encodeShardIds)),
  'list-records': (node, { signal, answer }) => answer.stream(pages(node.listRecords(signal), encodeRecordHeads)),
  probe: async (node, { signal, answer }) => answer.end([encodeProbe(await node.probe(signal))]),
};

const CLUSTER_WORK: Readonly<Record<string, Work>> = {
  create: async ({ local, claim, body, answer, signal }) => {
    const { clusterId, nodeId } = claim;
    if (clusterId === undefined || nodeId === undefined) throw new NodeError('rejected', 'a new node needs its ids');
    const { number } = parseObject(textOf(body));
    if (number !== local.number) throw new NodeError('rejected', `it serves node ${local.number}`);
    await local.create({ clusterId, nodeId }, signal);
    answer.end();
  },
  map: async ({ local, body, answer, signal }) => {
    const map = parseClusterMap(textOf(body));
    if (map === undefined) throw new NodeError('rejected', 'what was sent is no map of a cluster');
    await local.takeMap(map, signal);
    answer.end();
  },
};

const DESK_WORK: Readonly<Record<string, DeskWork>> = {
  layout: async (desk, { body, signal, answer }) => {
    const { versionId, page } = decodePageKey(body);
    const found = await desk.layout(versionId, page, signal);
    await answer.all(encodeEntries([found === undefined ? noPage() : [found]]));
  },
  lease: (desk, { body, answer }) => {
    desk.lease(decodeLeases(body));
    answer.end();
  },
  damaged: (desk, { body, answer }) => {
    desk.damaged(decodeFoundDamage(body));
    answer.end();
  },
};

/** What a call does; undefined if there is no such call. */
export function workOf(name: string): Work | undefined {
  const ofNode = Object.hasOwn(NODE_WORK, name) ? NODE_WORK[name] : undefined;
  const ofDesk = Object.hasOwn(DESK_WORK, name) ? DESK_WORK[name] : undefined;
  if (ofNode !== undefined)
    return (operation) =>
      operation.local.use(operation.claim, operation.signal, (node, signal) => ofNode(node, { ...operation, signal }));
  if (ofDesk !== undefined) return async (operation) => ofDesk(deskFor(operation), operation);
  return Object.hasOwn(CLUSTER_WORK, name) ? CLUSTER_WORK[name] : undefined;
}

function noPage(): NodeError {
  return new NodeError('not-found', 'the index has no such page');
}

function deskFor({ desk, claim, local }: Operation): ReadDesk {
  if (claim.clusterId !== local.ids?.clusterId) throw new NodeError('rejected', 'it is of another cluster');
  if (desk === undefined) throw new NodeError('rejected', 'it is not the gateway');
  return desk;
}

/** As a stream from its beginning: so the caller hears that it is being done. */
async function* pulled(
  target: StorageNode,
  { body, signal, sourceOf, room }: Operation,
): AsyncGenerator<readonly Uint8Array[], void, undefined> {
  const pull = decodePull(body);
  const source = sourceOf(pull.source);
  const give = await room(
    pull.copies.reduce((sum, { length }) => sum + length, 0),
    signal,
  );
  try {
    yield* encodeVerdicts(await pullShards({ source, target }, pull.copies, signal));
  } finally {
    give();
  }
}

function encodeVerdicts(verdicts: readonly (NodeError | undefined)[]): Generator<readonly Uint8Array[], void, undefined> {
  return encodeEntries(verdicts.map((error) => error ?? []));
}

/** Of a whole shard with its checksum, if it is known: so who keeps the bytes keeps what they were proven by, and need not sum them up again. */
function partOf(found: Uint8Array | NodeError | undefined, { offset = 0, length = Infinity }: ShardPart): Entry {
  if (found === undefined || found instanceof NodeError) return found ?? new NodeError('unavailable', 'it gave no answer for it');
  const checksum = offset === 0 && length >= found.byteLength ? provenChecksum(found) : undefined;
  if (checksum !== undefined) return { bytes: found, checksum };
  return [found.subarray(offset, offset + length)];
}

async function* pages<Item>(
  items: AsyncIterable<Item>,
  encode: (page: readonly Item[]) => Uint8Array,
): AsyncGenerator<readonly Uint8Array[], void, undefined> {
  let page: Item[] = [];
  let sentMs = performance.now();
  for await (const item of items) {
    page.push(item);
    if (page.length < PAGE_ITEMS && performance.now() - sentMs < PAGE_MS) continue;
    yield [encode(page)];
    page = [];
    sentMs = performance.now();
  }
  if (page.length > 0) yield [encode(page)];
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString('utf8');
}
