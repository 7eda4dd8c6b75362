import 'reflect-metadata';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StoredDocument } from '../../src/documents/document-store.js';
import { STORE_OWNER, type OwnerId } from '../../src/common/ids.js';
import { RebuildService } from '../../src/recovery/rebuild.service.js';
import { VerifyService } from '../../src/recovery/verify.service.js';
import { RunningStore } from '../support/running-store.js';
import { describeDocumentStore } from './document-store.contract.js';

const NEVER = new AbortController().signal;

let contracted: RunningStore | undefined;
describeDocumentStore('FileDocumentStore', async () => {
  contracted = await RunningStore.make();
  const { directory } = contracted;
  return {
    store: contracted.documents,
    dispose: async () => {
      await contracted?.close();
      await rm(directory, { recursive: true });
    },
  };
});

describe('FileDocumentStore', () => {
  let running: RunningStore;
  let directory: string;

  beforeEach(async () => {
    // So small slices that a large document does not ride in its record, and no memory of it.
    running = await RunningStore.make({ size_per_slice: 1024, limits: { orphan_grace_ms: 0, small_cache_bytes: 0 } });
    ({ directory } = running);
  });

  afterEach(async () => {
    await running.close();
    await rm(directory, { recursive: true });
  });

  const reopen = async (): Promise<void> => {
    running = await RunningStore.open(directory);
  };

  /** Documents as they come to be: made, changed, moved, removed; of two collections, the largest among them. */
  const fill = async (): Promise<void> => {
    const store = running.documents;
    const made: StoredDocument[] = [];
    for (const [at, key] of ['a', 'b', 'c', 'd'].entries())
      made.push(await store.create('notes', key, new Uint8Array(at * 5000).fill(at), NEVER));
    const [first, second, third] = made as [StoredDocument, StoredDocument, StoredDocument];
    await store.replace('notes', first.id, { bytes: Buffer.from('new'), expected: first.revision }, NEVER);
    await store.replace('notes', second.id, { bytes: Buffer.from('moved'), key: 'z', expected: second.revision }, NEVER);
    await store.remove('notes', third.id, undefined, NEVER);
    await store.create('tokens', 'a', new Uint8Array(16 * 1024).fill(9), NEVER);
  };

  const everything = async (): Promise<unknown> => {
    const lists = [];
    for (const collection of ['notes', 'tokens']) {
      const { documents } = await running.documents.list(collection, { prefix: '', limit: 100 }, NEVER);
      lists.push({
        documents: documents.map(({ bytes, ...rest }) => ({ ...rest, text: Buffer.from(bytes).toString('base64') })),
        usage: await running.metadata.usageOf(`system:${collection}` as OwnerId, NEVER),
      });
    }
    return lists;
  };

  it('has all documents after a restart, and after the index was lost and made anew from the nodes', async () => {
    await fill();
    const before = await everything();
    expect(before).toMatchObject([
      { documents: [{ key: 'a' }, { key: 'd' }, { key: 'z' }], usage: { files: 3, bytes: 3 + 15_000 + 5 } },
      { documents: [{ key: 'a' }], usage: { files: 1, bytes: 16_384 } },
    ]);
    await running.close();
    await reopen();
    expect(await everything()).toEqual(before);
    await running.close();
    await rm(join(directory, 'data', 'index'), { recursive: true });
    const { files } = await running.atRest((context) => context.get(RebuildService).run({ progress: () => undefined }, NEVER));
    expect(files).toBe(4);
    await reopen();
    expect(await everything()).toEqual(before);
    const [code] = await Promise.allSettled([running.documents.create('notes', 'z', new Uint8Array(1), NEVER)]);
    expect(code).toMatchObject({ reason: { code: 'document-exists' } });
  });

  it('keeps them where verify and a node that is gone find them like all files', async () => {
    await fill();
    const before = await everything();
    await running.close();
    const found = await running.atRest((context) =>
      context.get(VerifyService).run({ onProblem: () => undefined, progress: () => undefined }, NEVER),
    );
    expect(found).toMatchObject({ files: 4, problems: 0, lostFiles: 0 });
    await rename(join(directory, 'data', 'node_2'), join(directory, 'away'));
    await reopen();
    expect(await everything()).toEqual(before);
    await running.close();
    await rename(join(directory, 'away'), join(directory, 'data', 'node_2'));
    await reopen();
  });

  it('are not there for /files: neither in lists nor by id, to read, change or delete', async () => {
    const { id } = await running.documents.create('notes', 'a', Buffer.from('secret'), NEVER);
    const url = await running.listen();
    const put = await fetch(`${url}/files?name=mine`, { method: 'PUT', body: 'mine' });
    expect(put.status).toBe(201);
    const { id: mine } = (await put.json()) as { id: string };
    for (const query of ['', '?order=createdAt', '?order=-createdAt', '?order=-name', '?prefix=%01', '?prefix=%01system:notes']) {
      const { items } = (await (await fetch(`${url}/files${query}`)).json()) as { items: { id: string }[] };
      expect([query, items.map((file) => file.id)]).toEqual([query, query.includes('%01') ? [] : [mine]]);
    }
    const asked = [
      ['GET', id],
      ['HEAD', id],
      ['GET', id.toUpperCase()],
      ['GET', `${id}/info`],
      ['DELETE', id],
      ['PUT', id],
      ['PATCH', id],
    ] as const;
    for (const [method, path] of asked) {
      const body = method === 'PUT' ? 'x' : method === 'PATCH' ? '{"name":"x"}' : undefined;
      const headers = { 'content-type': 'application/json' };
      const answers = [];
      for (const one of [path, path.replace(new RegExp(id, 'i'), '01920000-0000-7000-8000-00000000dead')]) {
        const answer = await fetch(`${url}/files/${one}`, { method, headers, ...(body === undefined ? {} : { body }) });
        answers.push([answer.status, await answer.text(), answer.headers.get('etag')]);
      }
      expect([method, answers[0]]).toEqual([method, answers[1]]);
      expect(answers[0]![0]).toBe(404);
    }
    expect(Buffer.from((await running.documents.find('notes', id, NEVER))!.bytes).toString()).toBe('secret');
    expect(await running.metadata.usageOf(STORE_OWNER, NEVER)).toEqual({ files: 1, bytes: 4 });
  });
});
