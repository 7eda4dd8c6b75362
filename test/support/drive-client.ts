import { createHash, randomBytes } from 'node:crypto';
import { NodeKeys } from '../../src/sdk/drive-keys.js';
import { makeNodeRecord, type NodeDraft } from '../../src/sdk/drive-record.js';
import type { NodeKind } from '../../src/sdk/drive-attributes.js';
import { rootParentKeys } from '../../src/sdk/key-change.js';
import { makeManifest } from '../../src/sdk/revision-manifest.js';
import { addAccount, makeToken } from './accounts.js';
import { Client } from './client.js';
import { attributesOf, newPerson, newUuid, NO_HASH, type Person } from './e2ee-world.js';
import { answerOf, Person as LoginPerson } from './logins.js';

export interface NodeJson {
  readonly id: string;
  readonly etag: string;
  readonly content: {
    readonly revision: number;
    readonly revisionId: string;
    readonly manifest: string | null;
    readonly inlined: boolean;
  } | null;
}

export interface UploadJson {
  readonly uploadId: string;
  readonly nodeId: string;
  readonly expiresAt: string;
}

/** A node and what its maker knows of it. */
export interface OwnNode {
  readonly id: string;
  readonly keys: NodeKeys;
}

export const sha256Of = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** Somebody who has registered: what seals in the name of the account, and who logs in. */
export interface RegisteredMember {
  readonly accountId: string;
  readonly sealer: Person;
  readonly login: LoginPerson;
}

/** Makes an account and registers for it by an invitation. */
export async function registerMember(
  url: string,
  admin: Client,
  name: string,
  quota: Readonly<Record<string, unknown>> = {},
): Promise<RegisteredMember> {
  const accountId = await addAccount(admin, { name, ...quota });
  const sealer = await newPerson(name, accountId);
  const { invitation } = await answerOf(admin.json('POST', '/auth/invitations', { account: accountId }));
  const login = new LoginPerson(url, name, `the password of ${name}: quokka-71`);
  await login.register(invitation, { sealed: 'AQID', identity: textOf(sealer.bundleBytes) });
  return { accountId, sealer, login };
}

/** Somebody with an account, an identity and a token, who signs what is put into a drive. What is sealed there nobody opens. */
export class DriveClient {
  readonly accountId: string;
  readonly client: Client;
  readonly person: Person;

  private readonly token: string;

  private constructor(accountId: string, { url, token }: { readonly url: string; readonly token: string }, person: Person) {
    this.accountId = accountId;
    this.token = token;
    this.client = new Client(url, undefined, token);
    this.person = person;
  }

  static async join(
    url: string,
    admin: Client,
    name: string,
    quota: Readonly<Record<string, unknown>> = {},
  ): Promise<DriveClient> {
    const { accountId, sealer: person } = await registerMember(url, admin, name, quota);
    const { token } = await makeToken(admin, { accountId });
    return new DriveClient(accountId, { url, token }, person);
  }

  /** The same at another address. */
  at(url: string): DriveClient {
    return new DriveClient(this.accountId, { url, token: this.token }, this.person);
  }

  async root(): Promise<OwnNode> {
    const keys = NodeKeys.fresh();
    const { id, record } = await this.draft(
      { id: this.accountId, keys: await rootParentKeys(this.person.master) },
      'folder',
      keys,
    );
    await this.ok(this.client.json('POST', '/drive/nodes', { record: textOf(record) }));
    return { id, keys };
  }

  async folder(parent: OwnNode): Promise<OwnNode> {
    const keys = NodeKeys.fresh();
    const { id, record } = await this.draft(parent, 'folder', keys);
    await this.ok(this.client.json('POST', '/drive/nodes', { record: textOf(record) }));
    return { id, keys };
  }

  /** The record of a new node. */
  async draft(
    parent: OwnNode,
    kind: NodeKind,
    keys: NodeKeys,
    nodeId?: string,
  ): Promise<{ readonly id: string; readonly record: Uint8Array }> {
    const id = nodeId ?? (await this.ids(1))[0]!;
    const draft: NodeDraft = {
      nodeId: id,
      parentId: parent.id,
      revision: 1,
      previousHash: NO_HASH,
      writer: this.person.writer,
      keys,
      attributes: attributesOf(`${kind} ${randomBytes(4).toString('hex')}`, kind),
    };
    return { id, record: await makeNodeRecord(draft, parent.keys, this.person.identity.signer) };
  }

  async ids(count: number): Promise<readonly string[]> {
    const answer = await this.ok(this.client.json('POST', '/drive/ids', { count }));
    return (answer as unknown as { ids: string[] }).ids;
  }

  /** A signed manifest; what it says of the content is sealed, and of no interest to the server. */
  manifest(node: OwnNode, { revisionId = newUuid(), revision = 1, previous }: ManifestWish = {}): Promise<Uint8Array> {
    const draft = {
      nodeId: node.id,
      revisionId,
      revision,
      previousHash: previous === undefined ? NO_HASH : Uint8Array.from(sha256Of(previous)),
      writer: this.person.writer,
      contentKey: Uint8Array.from(randomBytes(32)),
      trueSize: 0,
      plan: { paddedSize: 0, segmentsPerPart: 256 },
      parts: [],
    };
    return makeManifest(draft, node.keys, this.person.identity.signer);
  }

  /** A file with a content that comes with its manifest. */
  async smallFile(
    parent: OwnNode,
    content: Uint8Array,
  ): Promise<{ readonly node: OwnNode; readonly json: NodeJson; readonly manifest: Uint8Array }> {
    const keys = NodeKeys.fresh();
    const { id, record } = await this.draft(parent, 'file', keys);
    const node = { id, keys };
    const manifest = await this.manifest(node);
    const wish = { record: textOf(record), manifest: textOf(manifest), content: textOf(content) };
    const json = (await this.ok(this.client.json('POST', '/drive/nodes', wish))) as unknown as NodeJson;
    return { node, json, manifest };
  }

  async begin(target: { readonly parentId: string } | { readonly nodeId: string }): Promise<UploadJson> {
    return (await this.ok(this.client.json('POST', '/drive/uploads', target))) as unknown as UploadJson;
  }

  part(uploadId: string, part: number, bytes: Uint8Array, digest: Uint8Array = sha256Of(bytes)): Promise<Response> {
    const headers = { 'Repr-Digest': `sha-256=:${Buffer.from(digest).toString('base64')}:` };
    return this.client.call(`/drive/uploads/${uploadId}/parts/${part}`, {
      method: 'PUT',
      body: bytes as Uint8Array<ArrayBuffer>,
      headers,
    });
  }

  /** Makes the file that an upload was begun for. */
  async finish(parent: OwnNode, upload: UploadJson, digests: readonly Uint8Array[]): Promise<Response> {
    const node = { id: upload.nodeId, keys: NodeKeys.fresh() };
    const { record } = await this.draft(parent, 'file', node.keys, node.id);
    const manifest = await this.manifest(node, { revisionId: upload.uploadId });
    const wish = { record: textOf(record), manifest: textOf(manifest), digests: digests.map(textOf) };
    return this.client.json('POST', '/drive/nodes', wish);
  }

  revise(nodeId: string, etag: string, wish: Readonly<Record<string, unknown>>): Promise<Response> {
    return this.client.call(`/drive/nodes/${nodeId}/revisions`, {
      method: 'POST',
      body: JSON.stringify(wish),
      headers: { 'Content-Type': 'application/json', 'If-Match': etag },
    });
  }

  async node(id: string): Promise<NodeJson> {
    return (await this.ok(this.client.call(`/drive/nodes/${id}`))) as unknown as NodeJson;
  }

  read(id: string, { revision = 'latest', part = 0, range }: ReadWish = {}): Promise<Response> {
    const headers = range === undefined ? {} : { Range: range };
    return this.client.call(`/drive/nodes/${id}/revisions/${revision}/parts/${part}`, { headers });
  }

  private ok(call: Promise<Response>): Promise<Record<string, string>> {
    return answerOf(call);
  }
}

interface ManifestWish {
  readonly revisionId?: string;
  readonly revision?: number;
  readonly previous?: Uint8Array;
}

interface ReadWish {
  readonly revision?: number | 'latest';
  readonly part?: number;
  readonly range?: string;
}
