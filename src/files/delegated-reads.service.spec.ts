import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { newId, type FileId, type VersionId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';
import { noteForwarding } from '../http/forwarded.js';
import type { Manifest, MetadataStore } from '../metadata/metadata-store.js';
import type { RedundancyService } from '../redundancy/redundancy.service.js';
import { DelegatedReads } from './delegated-reads.service.js';
import { decodeTicket } from './read-ticket.js';

const MiB = 1024 * 1024;
const CLIENT = { address: '10.0.0.9', isLocal: false };

function manifest(): Manifest {
  const sizes = { size: 9 * MiB, sealedSize: 9 * MiB, sliceBytes: MiB, k: 1, m: 1, createdAt: 1 };
  const seal = { kekId: 'key', wrappedKey: new Uint8Array(), header: new Uint8Array(), sealedDigest: new Uint8Array() };
  return { versionId: newId<VersionId>(), fileId: newId<FileId>(), ...sizes, seal, usage: [], recordNodes: [] };
}

/** Of a peer that reads itself, or of one that does not. */
function forwarded(reads = true): IncomingMessage {
  const request = {} as IncomingMessage;
  noteForwarding(request, {
    node: 2,
    client: CLIENT,
    ...(reads ? { tickets: { prove: ({ length }) => `of ${length}`, isReport: () => false } } : {}),
  });
  return request;
}

describe('DelegatedReads', () => {
  const holds = new Map<VersionId, number>();
  let reads: DelegatedReads;

  function make(delegate_bytes_min: number): DelegatedReads {
    const hold = (versionId: VersionId) => {
      holds.set(versionId, (holds.get(versionId) ?? 0) + 1);
      return () => void holds.set(versionId, (holds.get(versionId) ?? 0) - 1);
    };
    return new DelegatedReads(
      { limits: { delegate_bytes_min } } as AppConfig,
      {} as MetadataStore,
      { hold } as unknown as RedundancyService,
    );
  }

  function offer(to = 2 * MiB, request = forwarded()): ReturnType<typeof decodeTicket> | undefined {
    const found = reads.offer({ manifest: manifest(), unseal: () => never() }, { from: 0, to }, request);
    return found && decodeTicket(found.ticket);
  }

  beforeEach(() => {
    jest.useFakeTimers();
    holds.clear();
    reads = make(MiB);
  });

  afterEach(() => {
    reads.onApplicationShutdown();
    jest.useRealTimers();
  });

  it('gives a proven ticket for a large part to a peer that reads, and to nobody else', () => {
    const asked = manifest();
    const found = reads.offer({ manifest: asked, unseal: () => never() }, { from: 3, to: 3 + MiB }, forwarded());
    const { ticket, proof } = found ?? never();
    expect(proof).toBe(`of ${ticket.length}`);
    expect(decodeTicket(ticket)).toMatchObject({ range: { from: 3, to: 3 + MiB }, manifest: asked });
    expect(holds.get(asked.versionId)).toBe(1);
    expect(offer(MiB - 1)).toBeUndefined();
    expect(offer(MiB, forwarded(false))).toBeUndefined();
    expect(offer(MiB, {} as IncomingMessage)).toBeUndefined();
    reads = make(0);
    expect(offer(8 * MiB)).toBeUndefined();
    expect([...holds.values()]).toEqual([1]);
  });

  it('holds a version as long as its lease is renewed, and until it is ended', () => {
    const [kept, ended, silent] = [offer(), offer(), offer()].map((ticket) => ticket ?? never());
    const held = () => [kept, ended, silent].map((ticket) => holds.get((ticket ?? never()).manifest.versionId));
    jest.advanceTimersByTime(20_000);
    reads.lease({ held: [(kept ?? never()).lease], ended: [(ended ?? never()).lease, (ended ?? never()).lease] });
    expect(held()).toEqual([1, 0, 1]);
    jest.advanceTimersByTime(20_000);
    expect(held()).toEqual([1, 0, 0]);
    reads.lease({ held: [(silent ?? never()).lease], ended: [] }); // it has ended and does not come back
    jest.advanceTimersByTime(100_000);
    expect(held()).toEqual([0, 0, 0]);
  });

  it('has no more leases than it can remember', () => {
    const tickets = Array.from({ length: 10_000 }, () => offer());
    expect(tickets.every((ticket) => ticket !== undefined)).toBe(true);
    expect(offer()).toBeUndefined();
    reads.lease({ held: [], ended: [(tickets[0] ?? never()).lease] });
    expect(offer()).toBeDefined();
  });

  it('lets go of all versions when it ends', () => {
    offer();
    reads.onApplicationShutdown();
    expect([...holds.values()]).toEqual([0]);
  });
});

function never(): never {
  throw new Error('not in this test');
}
