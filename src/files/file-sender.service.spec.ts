import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { newId, STORE_OWNER, type FileId, type VersionId } from '../common/ids.js';
import { Exchange } from '../http/exchange.js';
import { notePrincipal, type Principal } from '../http/principal.js';
import type { Admission } from './admission.js';
import type { DelegatedReads } from './delegated-reads.service.js';
import type { DownloadService, OpenFile } from './download.service.js';
import { FileSender } from './file-sender.service.js';

const SLICE = 1000;
const STORE: Principal = { owner: STORE_OWNER, scopes: new Set(['read']), prefix: '', credentialId: '', name: 'store' };

/** The share of memory that a download asks for, of a file of so many bytes. */
async function shareOf(size: number, range: string | undefined): Promise<number | undefined> {
  const open = {
    file: { name: 'a', contentType: 'a/b', size, versionId: newId<VersionId>(), updatedAt: 0 },
    manifest: { sealedSize: size + 32, sliceBytes: SLICE },
    release: () => undefined,
  } as unknown as OpenFile;
  const downloads = {
    open: () => Promise.resolve(open),
    digest: () => new Uint8Array(32),
    small: () => Promise.resolve(undefined),
    async *read(_open: OpenFile, { from, to }: { readonly from: number; readonly to: number }) {
      if (to > from) yield new Uint8Array(to - from);
    },
  } as unknown as DownloadService;
  let share: number | undefined;
  const admission = {
    admit: (bytes: number | undefined) => {
      share = bytes;
      return Promise.resolve(() => undefined);
    },
  } as unknown as Admission;
  const sender = new FileSender(downloads, admission, { offer: () => undefined } as unknown as DelegatedReads);
  const server = createServer((request, response) => {
    notePrincipal(request, STORE);
    void sender.send(newId<FileId>(), new Exchange(request, response));
  }).listen(0);
  try {
    const headers = range === undefined ? {} : { range };
    await (await fetch(`http://localhost:${(server.address() as AddressInfo).port}`, { headers })).arrayBuffer();
    return share;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('the share of memory that a download asks for', () => {
  it.each<[string, number, string | undefined, number]>([
    ['one byte of a large file, which is read with the slices around it', 1_000_000, 'bytes=5-5', 1 + 2 * SLICE],
    ['a part', 1_000_000, 'bytes=5000-8999', 4000 + 2 * SLICE],
    ['all of a small file', 100, undefined, 132],
    ['a byte of a small file', 100, 'bytes=0-0', 132],
    ['an empty file', 0, undefined, 32],
  ])('is what is read for %s', async (_what, size, range, share) => {
    expect(await shareOf(size, range)).toBe(share);
  });
});
