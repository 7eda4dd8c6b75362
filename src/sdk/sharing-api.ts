import { toBase64Url, type Bytes } from './bytes.js';
import { readNode, type SealedNode } from './drive-calls.js';
import type { JsonObject } from './json-object.js';
import type { Transport } from './transport.js';

/** How a node is shared, as the server shows it: whatever it says is checked before it is used. */
export interface SealedSharing {
  /** The newest list of writers; undefined if the node was never shared. */
  readonly writers: Bytes | undefined;
  readonly grants: readonly Bytes[];
  readonly links: readonly SealedLink[];
  readonly etag: string | undefined;
}

export interface SealedLink {
  readonly linkId: string;
  readonly link: Bytes;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  readonly usesLeft: number | undefined;
}

export interface NewSharing {
  readonly writers: Bytes;
  readonly grants: readonly Bytes[];
  /** Of the state that it replaces; absent for the first. */
  readonly etag: string | undefined;
}

/** Something that was granted to the account. */
export interface SealedShare {
  readonly node: SealedNode;
  readonly grant: Bytes;
  readonly owner: string;
}

export interface NewLink {
  readonly linkId: string;
  readonly link: Bytes;
  readonly proofHash: Bytes;
  readonly expiresAt: Date | undefined;
  readonly usesMax: number | undefined;
}

export interface OpenedLink {
  readonly link: Bytes;
  readonly credential: string;
}

/** The calls of docs/drive-protocol.md about sharing and links. It opens nothing. */
export class SharingApi {
  constructor(private readonly transport: Transport) {}

  async sharing(nodeId: string, signal: AbortSignal): Promise<SealedSharing> {
    const { body, etag } = await this.transport.json({ method: 'GET', path: `/drive/nodes/${nodeId}/sharing` }, signal);
    return {
      writers: body.has('writers') ? body.bytes('writers') : undefined,
      grants: body.bytesList('grants'),
      links: body.objects('links').map(readLink),
      etag: body.has('etag') ? body.text('etag') : etag,
    };
  }

  /** @throws SdkError `conflict` if somebody else was faster */
  async putSharing(nodeId: string, { writers, grants, etag }: NewSharing, signal: AbortSignal): Promise<void> {
    const json = { writers: toBase64Url(writers), grants: grants.map(toBase64Url) };
    const headers: Record<string, string> = etag === undefined ? {} : { 'If-Match': etag };
    await this.transport.json({ method: 'PUT', path: `/drive/nodes/${nodeId}/sharing`, json, headers }, signal);
  }

  async shared(signal: AbortSignal): Promise<readonly SealedShare[]> {
    const { body } = await this.transport.json({ method: 'GET', path: '/drive/shared' }, signal);
    return body
      .objects('items')
      .map((item) => ({ node: readNode(item.object('node')), grant: item.bytes('grant'), owner: item.id('owner') }));
  }

  async addLink(nodeId: string, { linkId, link, proofHash, expiresAt, usesMax }: NewLink, signal: AbortSignal): Promise<void> {
    const json = {
      linkId,
      link: toBase64Url(link),
      proofHash: toBase64Url(proofHash),
      ...(expiresAt !== undefined && { expiresAt: expiresAt.toISOString() }),
      ...(usesMax !== undefined && { usesMax }),
    };
    await this.transport.json({ method: 'POST', path: `/drive/nodes/${nodeId}/links`, json }, signal);
  }

  /** @throws SdkError `link-over` if there is none of this id, or not of this account */
  async removeLink(linkId: string, signal: AbortSignal): Promise<void> {
    const path = `/drive/links/${encodeURIComponent(linkId)}`;
    await this.transport.json({ method: 'DELETE', path, isRepeatable: true }, signal);
  }

  /** @throws SdkError `link-over` also for a wrong proof */
  async openLink(linkId: string, proof: Bytes, signal: AbortSignal): Promise<OpenedLink> {
    const json = { proof: toBase64Url(proof) };
    const { body } = await this.transport.json({ method: 'POST', path: `/drive/links/${linkId}/open`, json }, signal);
    return { link: body.bytes('link'), credential: body.text('credential') };
  }
}

function readLink(json: JsonObject): SealedLink {
  return {
    linkId: json.id('linkId'),
    link: json.bytes('link'),
    createdAt: json.time('createdAt'),
    expiresAt: json.has('expiresAt') ? json.time('expiresAt') : undefined,
    usesLeft: json.has('usesLeft') ? json.count('usesLeft') : undefined,
  };
}
