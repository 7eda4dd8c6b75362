import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type ClusterId, type FileId, type VersionId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';
import { KeyRing } from '../crypto/key-ring.js';
import { VersionCrypto } from '../crypto/version-keys.js';
import type { BodyDelegate } from '../http/body-delegate.js';
import type { AdoptedStripes, VersionWriter } from '../redundancy/version-writer.js';
import type { BodyWriter } from './body-writer.js';
import { DelegatedUploads } from './delegated-uploads.service.js';
import type { Upload } from './incoming-file.js';
import { decodeStoreTicket, encodeStoreReport, type StoreReport, type StoreTicket } from './store-ticket.js';

const NEVER = new AbortController().signal;
const BYTES = Buffer.from('the body'.repeat(1000));
const SUM = createHash('sha256').update(BYTES).digest();
const SLICE = 4000;
const SHAPE = { k: 1, m: 1 };

describe('DelegatedUploads', () => {
  const fileId = newId<FileId>();
  const versionId = newId<VersionId>();
  const keyRing = KeyRing.create(newId<ClusterId>(), 1);
  const crypto = new VersionCrypto(() => keyRing);
  let adopted: AdoptedStripes[];
  let lengths: number[];
  let reserved: number;
  let tickets: StoreTicket[];
  let uploads: DelegatedUploads;

  const writer = {
    versionId,
    shape: SHAPE,
    reserve: (stripes: number) => {
      reserved = stripes;
      return Promise.resolve(new Map([[1, 7]]));
    },
    unreserve: () => void (reserved = 0),
    adopt: (stripes: AdoptedStripes, lengthOf: (stripe: number, index: number) => number) => {
      adopted.push(stripes);
      stripes.rows.forEach((row, stripe) => row.forEach((_, index) => lengths.push(lengthOf(stripe, index))));
      return Promise.resolve();
    },
  } as unknown as VersionWriter;

  /** What the peer has made of the ticket. */
  function reported(change: Partial<StoreReport & { kind: 'stored' }> = {}): StoreReport {
    const { sealer, finishSeal } = crypto.seal(fileId, versionId);
    const sealed = Buffer.concat([...sealer.push(BYTES), ...sealer.finish()]);
    const rows = Array.from({ length: Math.ceil(sealed.length / SLICE) }, () => [1, 2]);
    const { length: sealedSize } = sealed;
    return { kind: 'stored', rows, strays: [], size: BYTES.length, sealedSize, seal: finishSeal(SUM), ...change };
  }

  function upload(report: StoreReport | undefined, expectedDigest?: Buffer, bytes: number = BYTES.length): Upload {
    const delegate = {
      hand: (ticket: Uint8Array) => {
        tickets.push(decodeStoreTicket(ticket));
        return Promise.resolve(report && encodeStoreReport(report));
      },
    } as unknown as BodyDelegate;
    return { name: 'a', contentType: undefined, body: [] as unknown as Upload['body'], bytes, delegate, expectedDigest };
  }

  const store = (asked: Upload) => uploads.store(fileId, asked, writer, NEVER);

  beforeEach(() => {
    [adopted, lengths, tickets, reserved] = [[], [], [], 0];
    const bodies = { prepare: () => SLICE } as unknown as BodyWriter;
    uploads = new DelegatedUploads({ limits: { delegate_bytes_min: 1000 } } as AppConfig, bodies, crypto);
  });

  it('takes over what the peer has stored', async () => {
    const report = reported({ strays: [{ node: 3, stripe: 0, index: 1 }] });
    const body = await store(upload(report, SUM));
    expect(body).toMatchObject({
      size: BYTES.length,
      sliceBytes: SLICE,
      sealedSize: (report as { sealedSize: number }).sealedSize,
    });
    expect(Buffer.from(crypto.open({ fileId, versionId }, body!.seal).digest())).toEqual(SUM);
    expect(tickets).toEqual([
      { fileId, versionId, ...SHAPE, sliceBytes: SLICE, bytes: BYTES.length, kekId: keyRing.active, files: new Map([[1, 7]]) },
    ]);
    expect(reserved).toBe(3);
    expect(adopted).toEqual([expect.objectContaining({ rows: report.rows, strays: report.strays })]);
    expect(lengths).toEqual([SLICE, SLICE, SLICE, SLICE, body!.sealedSize - 2 * SLICE, body!.sealedSize - 2 * SLICE]);
  });

  it('is nothing for what is small, of unknown length, or comes through no such peer, and for more than a page of stripes', async () => {
    expect(await store({ ...upload(reported()), bytes: 999 })).toBeUndefined();
    expect(await store({ ...upload(reported()), bytes: undefined })).toBeUndefined();
    expect(await store({ ...upload(reported()), delegate: undefined })).toBeUndefined();
    expect(await store(upload(reported(), undefined, 16_384 * SLICE))).toBeUndefined();
    uploads = new DelegatedUploads({ limits: { delegate_bytes_min: 0 } } as AppConfig, uploads.bodies, crypto);
    expect(await store(upload(reported()))).toBeUndefined();
    expect(tickets).toEqual([]);
  });

  it('reserves nothing any more when the peer passes the body on', async () => {
    expect(await store(upload(undefined))).toBeUndefined();
    expect([tickets.length, reserved]).toEqual([1, 0]);
  });

  it('fails as the peer did, with all that it has left on nodes', async () => {
    const { rows, strays } = reported({ strays: [{ node: 3, stripe: 0, index: 1 }] });
    const failed: StoreReport = {
      kind: 'failed',
      rows: rows.slice(0, 2),
      strays,
      code: 'not-enough-nodes',
      detail: 'all are down',
    };
    await expect(store(upload(failed))).rejects.toMatchObject({ code: 'not-enough-nodes', detail: 'all are down' });
    expect(adopted).toEqual([expect.objectContaining({ rows: rows.slice(0, 2), strays })]);
  });

  it.each<[string, () => StoreReport, Buffer | undefined, object]>([
    ['another digest than was announced', () => reported(), Buffer.alloc(32), { code: 'invalid-digest' }],
    [
      'two shards on one node',
      () =>
        reported({
          rows: [
            [1, 2],
            [3, 3],
            [1, 2],
          ],
        }),
      undefined,
      { code: 'ERR_ASSERTION' },
    ],
    ['a shard too few', () => reported({ rows: [[1, 2], [1], [1, 2]] }), undefined, { code: 'ERR_ASSERTION' }],
    [
      'a stripe too few',
      () =>
        reported({
          rows: [
            [1, 2],
            [1, 2],
          ],
        }),
      undefined,
      { code: 'ERR_ASSERTION' },
    ],
    ['another length', () => reported({ size: 5 }), undefined, { code: 'ERR_ASSERTION' }],
    ['the seal of another version', () => ({ ...reported(), seal: otherSeal() }), undefined, { code: 'data-damaged' }],
  ])('takes no body with %s', async (_, report, digest, error) => {
    await expect(store(upload(report(), digest))).rejects.toMatchObject(error);
  });

  it('knows what lies where before it refuses it', async () => {
    const report = reported();
    await expect(store(upload(report, Buffer.alloc(32)))).rejects.toMatchObject({ code: 'invalid-digest' });
    expect(adopted).toEqual([expect.objectContaining({ rows: report.rows })]);
  });

  function otherSeal(): ReturnType<ReturnType<VersionCrypto['seal']>['finishSeal']> {
    const { sealer, finishSeal } = crypto.seal(fileId, newId<VersionId>());
    sealer.finish();
    return finishSeal(SUM);
  }
});
