import { randomBytes } from 'node:crypto';
import { parseId, type ClusterId, type NodeId } from '../../common/ids.js';
import { readClusterMap, type ClusterMap } from '../../config/cluster-map.js';
import { NodeError } from '../storage-node.js';

/** The versions of the protocol that this program speaks, from the lowest to the highest. */
export const PROTOCOL: readonly [number, number] = [2, 2];

const VERSION_CHARACTERS_MAX = 64;
/** As many keys as a key ring may have, and the login setup. */
const FINGERPRINTS_MAX = 1001;

/** The body of the call by which a process is made the gateway although the present one answers. */
export const FORCE = 'force';

/** Names a run of a process: what was sent to an earlier one cannot be played to it. */
export function newRun(): string {
  return randomBytes(16).toString('hex');
}

/** How a process presents itself to one that proved to be of its cluster. */
export interface PeerHello {
  /** The lowest and the highest version of the protocol that it speaks. */
  readonly protocol: readonly [number, number];
  /** The number of its node. */
  readonly number: number;
  /** Those of its folder; undefined if that never was a node. */
  readonly clusterId?: ClusterId;
  readonly nodeId?: NodeId;
  readonly map?: ClusterMap;
  readonly nodeCount: number;
  readonly redundancyCount: number;
  /** The version of the program. */
  readonly version: string;
  /**
   * The number of the node whose process serves, as far as this process knows: its own if it is the gateway. Null: it hears of none. Absent: it is
   * an older program, and does not say.
   */
  readonly hears?: number | null;
  /** The fingerprints of the key ring that the gateway has, or had when this process heard it last. */
  readonly keys?: readonly string[];
  /** A random name of this run of the process: requests name it, so that none of an earlier run can be played to it again. */
  readonly run: string;
}

/** Throws `rejected` for what is no greeting, or one in other versions of the protocol only. */
export function parseHello(text: string): PeerHello {
  const hello = parseObject(text);
  const protocol = readProtocol(hello['protocol']);
  const { number, nodeCount, redundancyCount, version, run } = hello;
  if (!isCount(number) || !isCount(nodeCount) || !isCount(redundancyCount)) throw malformed();
  if (typeof version !== 'string' || typeof run !== 'string' || !/^[0-9a-f]{32}$/.test(run)) throw malformed();
  return {
    protocol,
    number,
    ...readIds(hello),
    ...readMap(hello['map']),
    ...readHeard(hello),
    nodeCount,
    redundancyCount,
    version: version.slice(0, VERSION_CHARACTERS_MAX),
    run,
  };
}

function readProtocol(value: unknown): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2 || !value.every((version) => isCount(version))) throw malformed();
  const [lowest, highest] = value as [number, number];
  if (lowest <= PROTOCOL[1] && highest >= PROTOCOL[0]) return [lowest, highest];
  throw new NodeError(
    'rejected',
    `it speaks versions ${lowest} to ${highest} of the protocol, this program ${PROTOCOL.join(' to ')}`,
  );
}

function readIds(hello: Readonly<Record<string, unknown>>): Pick<PeerHello, 'clusterId' | 'nodeId'> {
  const clusterId = idOf<ClusterId>(hello['clusterId']);
  const nodeId = idOf<NodeId>(hello['nodeId']);
  return clusterId === undefined || nodeId === undefined ? {} : { clusterId, nodeId };
}

function readMap(value: unknown): Pick<PeerHello, 'map'> {
  const map = value === undefined ? undefined : readClusterMap(value);
  return map === undefined ? {} : { map };
}

function readHeard({ hears, keys }: Readonly<Record<string, unknown>>): Pick<PeerHello, 'hears' | 'keys'> {
  if (hears !== undefined && hears !== null && !isCount(hears)) throw malformed();
  if (keys !== undefined && !isFingerprints(keys)) throw malformed();
  return { ...(hears === undefined ? {} : { hears }), ...(keys === undefined ? {} : { keys }) };
}

function isFingerprints(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= FINGERPRINTS_MAX && value.every((each) => typeof each === 'string');
}

/** The fields of a JSON object; `rejected` if the text is none. */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw malformed(cause);
  }
  throw malformed();
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function idOf<Id extends ClusterId | NodeId>(value: unknown): Id | undefined {
  return typeof value === 'string' ? parseId<Id>(value) : undefined;
}

function malformed(cause?: unknown): NodeError {
  return new NodeError('rejected', 'what was sent is not as the protocol has it', { cause });
}
