import { parseClusterMap } from '../../config/cluster-map.js';
import { NodeError, type StorageNode } from '../storage-node.js';
import type { LocalNode } from './local-node.js';
import type { PeerAnswer } from './peer-answer.js';
import {
  decodeBatch,
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
import { encodeEntries } from './peer-entries.js';
import { parseObject } from './peer-hello.js';
import type { PeerClaim } from './peer-proof.js';

/** The parts of a LocalNode that are served. */
export type ServedNode = Pick<LocalNode, 'number' | 'ids' | 'map' | 'create' | 'use' | 'takeMap'>;

export interface Operation {
  readonly local: ServedNode;
  readonly claim: PeerClaim;
  readonly body: Uint8Array;
  readonly answer: PeerAnswer;
  readonly signal: AbortSignal;
}

type Work = (operation: Operation) => Promise<void>;
type NodeWork = (node: StorageNode, operation: Operation) => Promise<void>;

/** Items of one frame of a listing. */
const PAGE_ITEMS = 1000;
/** What a listing has found goes out after this time, however little it is. */
const PAGE_MS = 250;

const NODE_WORK: Readonly<Record<string, NodeWork>> = {
  put: async (node, { body, signal, answer }) => {
    await node.put(decodeBatch(body), signal);
    answer.end();
  },
  get: async (node, { body, signal, answer }) => {
    const parts = decodeShardParts(body);
    const found = await node.get(parts, signal);
    const entries = parts.map((part, at) => partOf(found[at], part));
    await answer.stream(each(encodeEntries(entries)));
  },
  check: async (node, { body, signal, answer }) => {
    const found = await node.check(decodeShardIds(body), signal);
    await answer.stream(each(encodeEntries(found.map((error) => error ?? []))));
  },
  delete: async (node, { body, signal, answer }) => {
    await node.delete(decodeShardIds(body), signal);
    answer.end();
  },
  records: async (node, { body, signal, answer }) => {
    const found = await node.getRecords(decodeRecordKeys(body), signal);
    await answer.stream(each(encodeEntries(found.map((item) => (item instanceof NodeError ? item : encodeRecord(item))))));
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

/** What a call does; undefined if there is no such call. */
export function workOf(name: string): Work | undefined {
  const ofNode = Object.hasOwn(NODE_WORK, name) ? NODE_WORK[name] : undefined;
  if (ofNode === undefined) return Object.hasOwn(CLUSTER_WORK, name) ? CLUSTER_WORK[name] : undefined;
  return (operation) =>
    operation.local.use(operation.claim, operation.signal, (node, signal) => ofNode(node, { ...operation, signal }));
}

function partOf(found: Uint8Array | NodeError | undefined, { offset = 0, length }: ShardPart): readonly Uint8Array[] | NodeError {
  if (found === undefined || found instanceof NodeError) return found ?? new NodeError('unavailable', 'it gave no answer for it');
  return [found.subarray(offset, length === undefined ? undefined : offset + length)];
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

// eslint-disable-next-line @typescript-eslint/require-await -- what is there already, for one that takes what is still to come
async function* each<Item>(items: Iterable<Item>): AsyncGenerator<Item, void, undefined> {
  yield* items;
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString('utf8');
}
