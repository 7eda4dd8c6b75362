import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../common/errors.js';
import { parseId, type ClusterId, type NodeId } from '../../common/ids.js';
import { NodeError } from '../storage-node.js';
import { syncDirectory, writeWhole } from './durable-files.js';
import type { FileCalls } from './file-calls.js';

/** Which node of which cluster a folder is, for ever. */
export interface NodeIdentity {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  readonly node: number;
}

export const IDENTITY_FILE = 'node.json';
export const IDENTITY_TEMP_FILE = 'node.json.temp';

const FORMAT = 2;
/** No node has it. */
const NO_ID = '' as ClusterId & NodeId;

/** Writes the identity durably. It is the last step of making a node's folder: where it is, everything else is. */
export async function writeIdentity(files: FileCalls, directory: string, identity: NodeIdentity): Promise<void> {
  const { clusterId, nodeId, node } = identity;
  const text = `${JSON.stringify({ format: FORMAT, clusterId, nodeId, node }, null, 2)}\n`;
  const paths = { target: join(directory, IDENTITY_FILE), temp: join(directory, IDENTITY_TEMP_FILE) };
  await writeWhole(files, paths, [Buffer.from(text)]);
  await syncDirectory(files, directory);
}

/** True if the folder is that of the node, false if it has no identity file. Throws `rejected` if it is that of another node. */
export async function hasIdentity(directory: string, expected: NodeIdentity): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(join(directory, IDENTITY_FILE), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  const complaint = complaintAbout(text, expected);
  if (complaint !== undefined) throw new NodeError('rejected', complaint);
  return true;
}

/** Proves that the folder is there and is that of the node. Throws `unavailable` if it vanished, `rejected` if it is another one. */
export async function verifyIdentity(directory: string, expected: NodeIdentity): Promise<void> {
  if (await hasIdentity(directory, expected)) return;
  try {
    await stat(directory);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') throw new NodeError('unavailable', 'its folder has vanished', { cause });
    throw cause;
  }
  // The folder may have come back between the two looks; "replaced" is too grave a word to say by mistake.
  if (await hasIdentity(directory, expected)) return;
  throw new NodeError('rejected', `its folder was replaced: there is one in its place, without ${IDENTITY_FILE}`);
}

/** The identity that a folder has, undefined if it has none. Throws `rejected` if it cannot be understood. */
export async function readIdentity(directory: string): Promise<NodeIdentity | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, IDENTITY_FILE), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const { clusterId, nodeId, node } = parseObject(text) ?? {};
  const found: NodeIdentity = {
    clusterId: parseId<ClusterId>(String(clusterId)) ?? NO_ID,
    nodeId: parseId<NodeId>(String(nodeId)) ?? NO_ID,
    node: Number(node),
  };
  // Compared with itself: whatever is not as it would have been written is a complaint, about the format first.
  const complaint = complaintAbout(text, found);
  if (complaint !== undefined) throw new NodeError('rejected', complaint);
  return found;
}

function complaintAbout(text: string, expected: NodeIdentity): string | undefined {
  const found = parseObject(text);
  const format = found?.['format'];
  if (typeof format === 'number' && format > FORMAT) return `${IDENTITY_FILE} is of format ${format}: written by a newer program`;
  if (format === 1)
    return `${IDENTITY_FILE} is of format 1, without packs: written by an older program that this one cannot follow`;
  if (format !== FORMAT) return `${IDENTITY_FILE} is damaged`;
  for (const key of ['clusterId', 'nodeId', 'node'] as const) {
    if (found?.[key] !== expected[key])
      return `its folder is another node's: ${key} is ${JSON.stringify(found?.[key])}, not ${JSON.stringify(expected[key])}`;
  }
  return undefined;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
