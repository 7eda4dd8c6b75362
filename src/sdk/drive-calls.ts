import type { ByteRange } from '../common/byte-range.js';
import { toBase64Url, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import type { JsonObject } from './json-object.js';
import { NodeBatches } from './node-batches.js';
import { serverError } from './server-errors.js';
import { reprDigest, type Call, type Transport } from './transport.js';

/** A node as the server shows it: sealed, and not believed yet. */
export interface SealedNode {
  readonly id: string;
  readonly owner: string;
  readonly record: Bytes;
  /** Of files. */
  readonly content: SealedContentRef | undefined;
  readonly etag: string;
}

export interface SealedContentRef {
  readonly revision: number;
  readonly revisionId: string;
  /** Undefined if it is too long for a listing. */
  readonly manifest: Bytes | undefined;
  readonly isInlined: boolean;
}

export interface SealedRevision {
  readonly revision: number;
  readonly revisionId: string;
  readonly manifest: Bytes;
  readonly createdAt: Date;
  /** The whole sealed content, if it came with its revision; only where one revision was asked for. */
  readonly inlined: Bytes | undefined;
}

export interface NewNode {
  readonly record: Bytes;
  readonly manifest?: Bytes;
  /** The only part, sealed; absent if the parts were uploaded. */
  readonly content?: Bytes;
  /** SHA-256 of each part that was uploaded. */
  readonly digests?: readonly Bytes[];
}

/** The nodes on the way to one, the topmost first, and lists of writers by their nodes. */
export interface SealedPath {
  readonly nodes: readonly SealedNode[];
  readonly lists: ReadonlyMap<string, Bytes>;
}

export type NewRevision = Omit<NewNode, 'record'> & { readonly manifest: Bytes; readonly etag: string };

/** The calls of docs/drive-protocol.md about nodes and contents. It opens nothing. */
export class DriveCalls {
  private readonly batches = new NodeBatches<NewNode, SealedNode>({
    one: (node, signal) => this.postNode(node, signal),
    several: (nodes, signal) => this.postNodes(nodes, signal),
    bytesOf: ({ record, manifest, content }) => record.length + (manifest?.length ?? 0) + (content?.length ?? 0),
  });

  constructor(private readonly transport: Pick<Transport, 'json' | 'stream'>) {}

  node(id: string, signal: AbortSignal): Promise<SealedNode> {
    return this.nodeOf({ method: 'GET', path: `/drive/nodes/${id}` }, signal);
  }

  /** The root folder of the account. @throws SdkError `not-found` if it was not made yet */
  root(signal: AbortSignal): Promise<SealedNode> {
    return this.nodeOf({ method: 'GET', path: '/drive/root' }, signal);
  }

  /** Small files that are made at the same time, and are broken off by one signal, share requests. */
  createNode(node: NewNode, signal: AbortSignal): Promise<SealedNode> {
    return node.content === undefined ? this.postNode(node, signal) : this.batches.make(node, signal);
  }

  replaceRecord(
    id: string,
    { record, etag }: { readonly record: Bytes; readonly etag: string },
    signal: AbortSignal,
  ): Promise<SealedNode> {
    const headers = { 'If-Match': etag };
    return this.nodeOf({ method: 'PUT', path: `/drive/nodes/${id}`, json: jsonOf({ record }), headers }, signal);
  }

  async removeNode(id: string, etag: string, signal: AbortSignal): Promise<void> {
    await this.transport.json({ method: 'DELETE', path: `/drive/nodes/${id}`, headers: { 'If-Match': etag } }, signal);
  }

  async children(
    id: string,
    query: { readonly cursor?: string | undefined; readonly limit?: number; readonly nameTag?: Bytes },
    signal: AbortSignal,
  ): Promise<{ readonly nodes: readonly SealedNode[]; readonly nextCursor: string | undefined }> {
    const { cursor, limit, nameTag } = query;
    const search = searchOf({ limit, cursor, nameTag: nameTag && toBase64Url(nameTag) });
    const { body } = await this.transport.json({ method: 'GET', path: `/drive/nodes/${id}/children${search}` }, signal);
    return {
      nodes: body.objects('items').map(readNode),
      nextCursor: body.has('nextCursor') ? body.text('nextCursor') : undefined,
    };
  }

  /** The newest lists of writers of a node and of the folders above it. */
  async lists(id: string, signal: AbortSignal): Promise<ReadonlyMap<string, Bytes>> {
    return readLists(await this.pathOf(id, signal));
  }

  /** Those, and the nodes from the topmost one that the caller may see down to this one. */
  async path(id: string, signal: AbortSignal): Promise<SealedPath> {
    const body = await this.pathOf(id, signal);
    return { nodes: body.objects('nodes').map(readNode), lists: readLists(body) };
  }

  async newUpload(
    of: { readonly parentId: string } | { readonly nodeId: string },
    signal: AbortSignal,
  ): Promise<{ readonly uploadId: string; readonly nodeId: string }> {
    const { body } = await this.transport.json({ method: 'POST', path: '/drive/uploads', json: of, isRepeatable: true }, signal);
    return { uploadId: body.id('uploadId'), nodeId: body.id('nodeId') };
  }

  /** The digests of the parts that the server holds. */
  async uploadedParts(uploadId: string, signal: AbortSignal): Promise<ReadonlyMap<number, Bytes>> {
    const { body } = await this.transport.json({ method: 'GET', path: `/drive/uploads/${uploadId}` }, signal);
    return new Map(body.objects('parts').map((part) => [part.count('part'), part.bytes('digest')]));
  }

  async putPart(
    uploadId: string,
    { part, bytes, digest }: { readonly part: number; readonly bytes: Bytes; readonly digest: Bytes },
    signal: AbortSignal,
  ): Promise<void> {
    const path = `/drive/uploads/${uploadId}/parts/${part}`;
    const headers = { 'Repr-Digest': reprDigest(digest) };
    await this.transport.json({ method: 'PUT', path, bytes, headers, isRepeatable: true }, signal);
  }

  async removeUpload(uploadId: string, signal: AbortSignal): Promise<void> {
    await this.transport.json({ method: 'DELETE', path: `/drive/uploads/${uploadId}`, isRepeatable: true }, signal);
  }

  addRevision(nodeId: string, { etag, ...revision }: NewRevision, signal: AbortSignal): Promise<SealedNode> {
    const path = `/drive/nodes/${nodeId}/revisions`;
    return this.nodeOf({ method: 'POST', path, json: jsonOf(revision), headers: { 'If-Match': etag } }, signal);
  }

  async revision(nodeId: string, revision: number | 'latest', signal: AbortSignal): Promise<SealedRevision> {
    const { body } = await this.transport.json({ method: 'GET', path: `/drive/nodes/${nodeId}/revisions/${revision}` }, signal);
    return readRevision(body);
  }

  async revisions(
    nodeId: string,
    { before, limit }: { readonly before?: number | undefined; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ readonly revisions: readonly SealedRevision[]; readonly nextBefore: number | undefined }> {
    const path = `/drive/nodes/${nodeId}/revisions${searchOf({ limit, before })}`;
    const { body } = await this.transport.json({ method: 'GET', path }, signal);
    const nextBefore = body.has('nextBefore') ? body.count('nextBefore') : undefined;
    return { revisions: body.objects('items').map(readRevision), nextBefore };
  }

  /** Some bytes of a sealed part, as they come. */
  async part(
    { nodeId, revision, part }: { readonly nodeId: string; readonly revision: number; readonly part: number },
    { from, to }: ByteRange,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const path = `/drive/nodes/${nodeId}/revisions/${revision}/parts/${part}`;
    const { body } = await this.transport.stream({ method: 'GET', path, headers: { Range: `bytes=${from}-${to - 1}` } }, signal);
    return body;
  }

  private postNode(node: NewNode, signal: AbortSignal): Promise<SealedNode> {
    return this.nodeOf({ method: 'POST', path: '/drive/nodes', json: jsonOf(node) }, signal);
  }

  private async postNodes(nodes: readonly NewNode[], signal: AbortSignal): Promise<readonly (SealedNode | SdkError)[]> {
    const json = { nodes: nodes.map(jsonOf) };
    const { body } = await this.transport.json({ method: 'POST', path: '/drive/nodes/batch', json }, signal);
    const results = body.objects('results');
    return nodes.map((_, at) => readResult(results[at]));
  }

  private async pathOf(id: string, signal: AbortSignal): Promise<JsonObject> {
    return (await this.transport.json({ method: 'GET', path: `/drive/nodes/${id}/path` }, signal)).body;
  }

  private async nodeOf(call: Call, signal: AbortSignal): Promise<SealedNode> {
    return readNode((await this.transport.json(call, signal)).body);
  }
}

/** A node out of a list of them. */
export function readNode(json: JsonObject): SealedNode {
  const content = json.has('content') ? readContent(json.object('content')) : undefined;
  return { id: json.id('id'), owner: json.id('owner'), record: json.bytes('record'), content, etag: json.text('etag') };
}

/** What became of one of several nodes. What is no answer is the matter of that one alone. */
function readResult(result: JsonObject | undefined): SealedNode | SdkError {
  try {
    if (result?.has('node') === true) return readNode(result.object('node'));
    const problem = result?.object('problem');
    return problem === undefined ? new SdkError('damaged') : serverError(problem.count('status'), problem.text('code'), null);
  } catch (error) {
    if (error instanceof SdkError) return error;
    throw error;
  }
}

function readLists(json: JsonObject): ReadonlyMap<string, Bytes> {
  return new Map(json.objects('writers').map((entry) => [entry.id('nodeId'), entry.bytes('list')]));
}

function readContent(json: JsonObject): SealedContentRef {
  return {
    revision: json.count('revision'),
    revisionId: json.id('revisionId'),
    manifest: json.has('manifest') ? json.bytes('manifest') : undefined,
    isInlined: json.flag('inlined'),
  };
}

function readRevision(json: JsonObject): SealedRevision {
  return {
    revision: json.count('revision'),
    revisionId: json.id('revisionId'),
    manifest: json.bytes('manifest'),
    createdAt: json.time('createdAt'),
    inlined: json.has('content') ? json.bytes('content') : undefined,
  };
}

function jsonOf({ digests, ...bytes }: Partial<NewNode>): Record<string, unknown> {
  const texts = Object.entries(bytes).map(([name, value]) => [name, toBase64Url(value)]);
  return {
    ...(Object.fromEntries(texts) as Record<string, string>),
    ...(digests !== undefined && { digests: digests.map(toBase64Url) }),
  };
}

function searchOf(fields: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
