import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mapOrdered } from '../../src/common/map-ordered.js';
import type { Drive } from '../../src/sdk/drive-api.js';
import { nodeSymmetric } from '../../src/sdk/node-symmetric.js';
import { sourceOfBytes } from '../../src/sdk/source.js';
import { useSymmetric, webSymmetric } from '../../src/sdk/symmetric.js';
import { failureOf } from '../support/e2ee-world.js';
import { SdkServer, TamperedNet, rewritten } from '../support/sdk-server.js';

type Json = Record<string, unknown>;

let world: SdkServer;
let drive: Drive;
const net = new TamperedNet();

beforeAll(async () => {
  useSymmetric(nodeSymmetric);
  world = await SdkServer.start();
  drive = await world.join('ada', { fetch: net.fetch });
});

afterEach(() => net.honest());

afterAll(async () => {
  useSymmetric(webSymmetric);
  await world.remove();
});

async function names(path: string): Promise<string[]> {
  return (await Array.fromAsync(drive.list(path))).map(({ name }) => name).sort();
}

const put = (path: string, size = 10): ReturnType<Drive['upload']> => drive.upload(path, sourceOfBytes(randomBytes(size)));

describe('a tree', () => {
  it('has folders in folders, which are made once', async () => {
    expect(await drive.mkdir('/a')).toMatchObject({ name: 'a', kind: 'folder', path: '/a', size: 0, owner: drive.account.id });
    expect(await failureOf(drive.mkdir('/a'))).toBe('exists');
    const deep = await drive.mkdir('/a/b/c', { parents: true });
    expect(await drive.mkdir('/a/b/c', { parents: true })).toEqual(deep);
    expect(await failureOf(drive.mkdir('/x/y'))).toBe('not-found');
    await put('/a/file');
    expect(await failureOf(drive.mkdir('/a/file/d', { parents: true }))).toBe('not-a-folder');
    expect(await failureOf(Array.fromAsync(drive.list('/a/file')))).toBe('not-a-folder');
    expect(await failureOf(put('/a/b'))).toBe('not-a-file');
    expect(await names('/a')).toEqual(['b', 'file']);
    expect(await drive.stat('/')).toMatchObject({ kind: 'folder', path: '/' });
  });

  it('takes two spellings of a name for one', async () => {
    await put('/\u00c5ngstr\u00f6m');
    expect(await drive.stat('/A\u030angstro\u0308m')).toMatchObject({ name: '\u00c5ngstr\u00f6m', revision: 1 });
    expect(await put('/A\u030angstro\u0308m')).toMatchObject({ revision: 2 });
  });

  it('is changed by names and places, and says what is in the way', async () => {
    await drive.mkdir('/from/inner', { parents: true });
    const made = await put('/from/x');
    expect(await drive.rename('/from/x', 'y')).toMatchObject({ id: made.id, path: '/from/y' });
    expect(await failureOf(drive.stat('/from/x'))).toBe('not-found');
    expect(await failureOf(drive.rename('/from/y', 'inner'))).toBe('exists');
    expect(await failureOf(drive.rename('/from/y', 'a/b'))).toBe('invalid-name');
    expect(await failureOf(drive.rename('/', 'b'))).toBe('invalid-name');
    expect(await drive.move('/from/y', '/from/inner')).toMatchObject({ id: made.id, path: '/from/inner/y' });
    expect(await failureOf(drive.move('/from', '/from/inner'))).toBe('folder-in-itself');
    expect(await failureOf(drive.move('/from', '/from'))).toBe('folder-in-itself');
    await drive.rename('/from', 'to');
    expect(await names('/to/inner')).toEqual(['y']);
    await drive.remove('/to');
    expect(await failureOf(drive.stat('/to/inner/y'))).toBe('not-found');
    expect(await failureOf(drive.remove('/to'))).toBe('not-found');
  });

  it('is the same on another device, which finds out what was moved', async () => {
    await drive.mkdir('/seen');
    await put('/seen/file');
    const other = await world.login('ada');
    expect((await Array.fromAsync(other.list('/seen'))).map(({ name }) => name)).toEqual(['file']);
    await drive.rename('/seen/file', 'renamed');
    expect(await other.rename('/seen/renamed', 'again')).toMatchObject({ path: '/seen/again' });
    expect(await failureOf(drive.stat('/seen/renamed'))).toBe('not-found');
    expect(await drive.stat('/seen/again')).toMatchObject({ size: 10 });
  });

  it('is changed all the same if an answer is lost or another change is faster', async () => {
    let lost = 0;
    net.answer = ({ method, path }, response) => {
      const isChange = method === 'PUT' || method === 'DELETE' || (method === 'POST' && path === '/drive/nodes');
      if (!isChange || lost % 2 === 1) return response;
      lost += 1;
      throw new TypeError('terminated');
    };
    const made = await drive.mkdir('/lost');
    net.honest();
    expect((await drive.stat('/lost')).id).toBe(made.id);
    lost = 0;
    net.answer = ({ method }, response) => {
      if (method !== 'PUT' || lost > 0) return response;
      lost += 1;
      throw new TypeError('terminated');
    };
    expect(await drive.rename('/lost', 'found')).toMatchObject({ id: made.id, path: '/found' });
    lost = 0;
    net.answer = ({ method }, response) => {
      if (method !== 'DELETE' || lost > 0) return response;
      lost += 1;
      throw new TypeError('terminated');
    };
    await drive.remove('/found');
    expect(await failureOf(drive.stat('/found'))).toBe('not-found');
  });

  it('lists all of a folder of several pages', async () => {
    await drive.mkdir('/many');
    const sizes = Array.from({ length: 700 }, (_, size) => size);
    await Array.fromAsync(mapOrdered(sizes, 16, (size) => put(`/many/${size}`, size)));
    const entries = await Array.fromAsync(drive.list('/many'));
    expect(new Set(entries.map(({ name }) => name)).size).toBe(700);
    expect(entries.every(({ name, size, path }) => Number(name) === size && path === `/many/${name}`)).toBe(true);
    for await (const entry of drive.list('/many')) {
      expect(entry.kind).toBe('file');
      break;
    }
  });
});

describe('a server that lies', () => {
  const isPage = (path: string): boolean => path.includes('/children') && !path.includes('nameTag');

  async function newFolder(name: string): Promise<void> {
    await drive.mkdir(`/${name}`);
    await put(`/${name}/one`);
    await put(`/${name}/two`);
  }

  // Stands on the folder's tag and the name that was asked for (src/sdk/node-finder.ts).
  it('cannot show one file in the place of another', async () => {
    await newFolder('swap');
    const two = await drive.stat('/swap/two');
    net.answer = async ({ path }, response) => {
      if (!path.includes('nameTag')) return response;
      const honest = await (await net.fetch(`${world.server.url}/drive/nodes/${two.id}`, lastInit)).json();
      return rewritten(response, (json) => ({ ...json, items: [honest] }));
    };
    const lastInit: RequestInit = {};
    net.before = ({ init }) => {
      lastInit.headers ??= { ...(init.headers as Record<string, string>) };
    };
    expect(await failureOf(drive.stat('/swap/one'))).toBe('damaged');
  });

  // Stands on the ids in records and seals (src/sdk/drive-record.ts).
  it('cannot swap names or contents in a list', async () => {
    await newFolder('names');
    const swap = (field: string) => (json: Json) => {
      const [one, two] = json['items'] as [Json, Json];
      return {
        ...json,
        items: [
          { ...one, [field]: two[field] },
          { ...two, [field]: one[field] },
        ],
      };
    };
    for (const field of ['record', 'content', 'id']) {
      net.answer = ({ path }, response) => (isPage(path) ? rewritten(response, swap(field)) : response);
      expect([field, await failureOf(names('/names'))]).toEqual([field, 'damaged']);
    }
  });

  // Stands on what was seen (src/sdk/succession.ts), which the opener asks for each record and content.
  it.each(['content', 'record'])('cannot take back a %s that was seen', async (what) => {
    const path = `/back-${what}`;
    const changedAt = new Date(1_700_000_000_000);
    await drive.upload(path, sourceOfBytes(randomBytes(10)), { changedAt });
    let old: Json | undefined;
    net.answer = async ({ path: at }, response) => {
      if (at.includes('nameTag')) old = ((await response.clone().json()) as { items: Json[] }).items[0];
      return response;
    };
    await drive.stat(path);
    net.honest();
    // With the times of before its record stays as it was.
    if (what === 'content') await drive.upload(path, sourceOfBytes(randomBytes(10)), { changedAt });
    else await drive.rename(path, 'renamed').then(() => drive.rename('/renamed', path.slice(1)));
    net.answer = ({ path: at }, response) => {
      if (at.includes('nameTag')) return rewritten(response, (json) => ({ ...json, items: [old] }));
      return at.endsWith(String(old?.['id'])) ? rewritten(response, () => old) : response;
    };
    expect(await failureOf(drive.stat(path))).toBe('rolled-back');
    expect(await failureOf(drive.download(path))).toBe('rolled-back');
  });

  // Stands on the parent in the record: a file of another folder, and one of nobody.
  it('cannot inject a node', async () => {
    await newFolder('inject');
    await newFolder('other');
    let foreign: Json | undefined;
    net.answer = async ({ path }, response) => {
      if (isPage(path)) foreign = ((await response.clone().json()) as { items: Json[] }).items[0];
      return response;
    };
    await names('/other');
    net.answer = ({ path }, response) =>
      isPage(path) ? rewritten(response, (json) => ({ ...json, items: [...(json['items'] as Json[]), foreign] })) : response;
    expect(await failureOf(names('/inject'))).toBe('damaged');
  });

  // Stands on the FLOE header that the manifest names for each part (src/sdk/content.ts).
  it('cannot swap parts', async () => {
    await put('/parts', 2 * 256 * 65_504);
    const swapping = (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
      const swapped = (url as string).replace(/\/parts\/(\d)$/u, (_, part: string) => `/parts/${part === '0' ? 1 : 0}`);
      return fetch(swapped, init);
    };
    const cheated = await world.login('ada', { fetch: swapping });
    const { body } = await cheated.download('/parts');
    expect(await failureOf(Array.fromAsync(body))).toBe('damaged');
  });

  // Stands on the past that each manifest names (`assertPast`, src/sdk/drive-content.ts).
  it('cannot change what a history tells', async () => {
    for (const size of [10, 20, 30]) await put('/history', size);
    net.answer = ({ path }, response) =>
      path.includes('/revisions?')
        ? rewritten(response, (json) => ({ ...json, items: [0, 2, 1].map((at) => (json['items'] as Json[])[at]) }))
        : response;
    expect(await failureOf(Array.fromAsync(drive.history('/history')))).toBe('rolled-back');
    net.answer = ({ path }, response) =>
      path.endsWith('/revisions/1') ? rewritten(response, (json) => ({ ...json, manifest: 'AQ' })) : response;
    expect(await failureOf(drive.download('/history', { revision: 1 }))).toBe('damaged');
  });
});
