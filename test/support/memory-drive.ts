/** A server of drives in memory, for tests of the client alone: it checks nothing, and does what a test tells it to. */
import { Transport } from '../../src/sdk/transport.js';
import { fromBase64Url, sha256, toBase64Url, type Bytes } from '../../src/sdk/bytes.js';
import { readNodeHead } from '../../src/sdk/drive-record.js';
import { readGrantHead } from '../../src/sdk/grant.js';
import { newUuid } from './e2ee-world.js';

interface MemoryNode {
  readonly id: string;
  readonly owner: string;
  record: string;
  revision: number;
}

interface MemorySharing {
  writers: string;
  grants: string[];
  revision: number;
}

interface MemoryLink {
  readonly nodeId: string;
  readonly link: string;
  readonly proofHash: string;
}

export interface MemoryRequest {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly by: string | undefined;
  readonly headers: Headers;
}

export class MemoryDrive {
  readonly origin = 'https://cloud.example';
  readonly nodes = new Map<string, MemoryNode>();
  readonly sharings = new Map<string, MemorySharing>();
  readonly links = new Map<string, MemoryLink>();
  readonly requests: MemoryRequest[] = [];
  /** The credentials of links that are good now. */
  readonly credentials = new Set<string>();
  /** Hears of each request before it is done; what it throws is a lost connection. */
  before: (request: MemoryRequest) => void = () => undefined;
  /** What is answered in the place of the truth. */
  lie: (request: MemoryRequest, answer: unknown) => unknown = (_, answer) => answer;

  transport(accountId?: string): Transport {
    const options = { fetch: this.fetch.bind(this) as typeof fetch, sleep: () => Promise.resolve() };
    return new Transport(this.origin, options, accountId);
  }

  put(owner: string, record: Bytes): string {
    const { nodeId } = readNodeHead(record);
    this.nodes.set(nodeId, { id: nodeId, owner, record: toBase64Url(record), revision: 1 });
    return nodeId;
  }

  private async fetch(url: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    const request: MemoryRequest = {
      method: init.method ?? 'GET',
      path: url.slice(this.origin.length),
      body: typeof init.body === 'string' ? (JSON.parse(init.body) as Record<string, unknown>) : {},
      by: headers.get('authorization')?.slice('Bearer '.length),
      headers,
    };
    this.requests.push(request);
    this.before(request);
    const answer = await this.answer(request);
    if (answer instanceof Response) return answer;
    const told = this.lie(request, answer);
    return new Response(told === undefined ? null : JSON.stringify(told), { status: told === undefined ? 204 : 200 });
  }

  private async answer(request: MemoryRequest): Promise<unknown> {
    if (request.by?.startsWith('dcl_') === true && !this.credentials.has(request.by)) return problem(401, 'unauthenticated');
    const [, , kind, id = '', part = ''] = request.path.split(/[?/]/u);
    if (kind === 'ids') return { ids: Array.from({ length: request.body['count'] as number }, newUuid) };
    if (kind === 'shared') return { items: this.sharedWith(request.by ?? '') };
    if (kind === 'links') return this.link(request, id);
    if (kind !== 'nodes' || !this.nodes.has(id)) return problem(404, 'node-not-found');
    return this.ofNode(request, { id, part });
  }

  private ofNode(request: MemoryRequest, { id, part }: { readonly id: string; readonly part: string }): unknown {
    const query = new URLSearchParams(request.path.split('?')[1]);
    const calls: Readonly<Record<string, () => unknown>> = {
      sharing: () => this.sharing(request, id),
      links: () => this.addLink(request, id),
      path: () => this.path(id),
      children: () => this.children(id, query),
    };
    return (calls[part] ?? (() => this.node(request, id)))();
  }

  private node({ method, body, headers }: MemoryRequest, id: string): unknown {
    const node = this.nodes.get(id) as MemoryNode;
    if (method !== 'PUT') return this.json(node);
    if (headers.get('if-match') !== etagOf(node)) return problem(412, 'precondition-failed');
    const list = this.sharings.get(id);
    const named = readNodeHead(bytesOf(body['record'])).writer.list;
    if (list !== undefined && named?.nodeId !== id) return problem(409, 'writers-changed');
    Object.assign(node, { record: body['record'], revision: node.revision + 1 });
    return this.json(node);
  }

  private children(id: string, query: URLSearchParams): unknown {
    const tag = query.get('nameTag');
    const items = [...this.nodes.values()].filter(({ record }) => {
      const head = readNodeHead(bytesOf(record));
      return head.parentId === id && (tag === null || toBase64Url(head.nameTag) === tag);
    });
    return { items: items.map((node) => this.json(node)), nextCursor: null };
  }

  private path(id: string): unknown {
    const way: MemoryNode[] = [];
    for (let node = this.nodes.get(id); node !== undefined; node = this.nodes.get(readNodeHead(bytesOf(node.record)).parentId))
      way.unshift(node);
    const writers = way.flatMap(({ id: nodeId }) => {
      const sharing = this.sharings.get(nodeId);
      return sharing === undefined ? [] : [{ nodeId, list: sharing.writers }];
    });
    return { nodes: way.map((node) => this.json(node)), writers };
  }

  private sharing({ method, body, headers }: MemoryRequest, id: string): unknown {
    const now = this.sharings.get(id);
    if (method === 'PUT') {
      const expected = now === undefined ? null : etagOf(now);
      if (headers.get('if-match') !== expected) return problem(412, 'precondition-failed');
      const { writers, grants } = body as unknown as MemorySharing;
      this.sharings.set(id, { writers, grants, revision: (now?.revision ?? 0) + 1 });
    }
    const { writers = null, grants = [], ...rest } = this.sharings.get(id) ?? {};
    const links = [...this.links].filter(([, { nodeId }]) => nodeId === id);
    return {
      writers,
      grants,
      links: links.map(([linkId, { link }]) => ({
        linkId,
        link,
        createdAt: new Date(0).toISOString(),
        expiresAt: null,
        usesLeft: null,
      })),
      etag: 'revision' in rest ? etagOf(rest) : null,
    };
  }

  private sharedWith(accountId: string): unknown[] {
    return [...this.sharings].flatMap(([nodeId, { grants }]) => {
      const node = this.nodes.get(nodeId);
      const own = grants.filter((grant) => readGrantHead(bytesOf(grant)).recipientId === accountId);
      return node === undefined ? [] : own.map((grant) => ({ node: this.json(node), grant, owner: node.owner }));
    });
  }

  private addLink({ body }: MemoryRequest, nodeId: string): unknown {
    const { linkId, link, proofHash } = body as { linkId: string; link: string; proofHash: string };
    this.links.set(linkId, { nodeId, link, proofHash });
    return {};
  }

  private async link({ method, body }: MemoryRequest, id: string): Promise<unknown> {
    const link = this.links.get(id);
    if (method === 'DELETE') return this.links.delete(id) ? undefined : problem(404, 'link-not-found');
    const proof = bytesOf(body['proof']);
    if (link?.proofHash !== toBase64Url(await sha256(proof))) return problem(404, 'link-not-found');
    const credential = `dcl_${newUuid()}`;
    this.credentials.add(credential);
    return { link: link.link, credential, expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
  }

  private json(node: MemoryNode | undefined): unknown {
    if (node === undefined) throw new Error('no such node');
    return {
      id: node.id,
      owner: node.owner,
      record: node.record,
      content: null,
      updatedAt: new Date(0).toISOString(),
      etag: etagOf(node),
    };
  }
}

function etagOf({ revision }: { readonly revision: number }): string {
  return `"${revision}"`;
}

function problem(status: number, code: string): Response {
  return new Response(JSON.stringify({ code }), { status, headers: { 'Content-Type': 'application/problem+json' } });
}

function bytesOf(text: unknown): Bytes {
  return fromBase64Url(text as string) as Bytes;
}
