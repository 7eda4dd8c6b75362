import { Logger } from '@nestjs/common';
import { DomainError, errorCode, type ErrorCode } from '../common/errors.js';
import { slice } from '../chunking/slices.js';
import { LiveConfig } from '../config/live-config.js';
import type { KeyRing } from '../crypto/key-ring.js';
import { type VersionSealing, VersionCrypto } from '../crypto/version-keys.js';
import { SealedBody } from '../files/sealed-body.js';
import type { StoreReport, StoreTicket } from '../files/store-ticket.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { Placement } from '../placement/placement.js';
import { NodeWriter } from '../redundancy/node-writer.js';
import { putStripes } from '../redundancy/put-stripes.js';
import { uploadBatches } from '../redundancy/scheme.js';
import type { StripeCodec } from '../redundancy/stripe-codec.js';
import { StripeStore } from '../redundancy/stripe-store.js';
import { WriteLedger } from '../redundancy/write-ledger.js';

export interface DelegatedWriterParts {
  readonly live: LiveConfig;
  readonly registry: NodeRegistry;
  readonly codec: StripeCodec;
}

/** Stores one body; resolves with what became of it, whatever that is. */
export type StoreBody = (body: AsyncIterable<Uint8Array>, signal: AbortSignal) => Promise<StoreReport>;

/** Seals bodies and puts them on the nodes, by tickets of the gateway. */
export class DelegatedWriter {
  private readonly logger = new Logger(DelegatedWriter.name);
  private readonly writer: NodeWriter;

  constructor(private readonly parts: DelegatedWriterParts) {
    this.writer = new NodeWriter(parts.registry, parts.live.current.limits.write_slow_ms_min);
  }

  /**
   * Gets ready to store a body, of which nothing is read yet.
   * @throws Error if it cannot be stored here: without the key, or with too few nodes in reach
   */
  prepare(ticket: StoreTicket, keyRing: KeyRing): StoreBody {
    if (keyRing.active !== ticket.kekId)
      throw new DomainError('key-missing', `the key ring here has not the active key of the gateway, ${ticket.kekId}`);
    const placement = new Placement();
    for (const [node, files] of ticket.files) placement.restore(node, files);
    const stripes = new StripeStore(this.parts.registry, placement, this.writer);
    stripes.assertWritable(ticket.k + ticket.m);
    const sealing = new VersionCrypto(() => keyRing).seal(ticket.fileId, ticket.versionId);
    return (body, signal) => this.store({ ticket, stripes, sealing }, body, signal);
  }

  private async store(order: StoreOrder, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<StoreReport> {
    const ledger = new WriteLedger();
    const { sealer, finishSeal } = order.sealing;
    const body = new SealedBody(source, sealer);
    let sum: Uint8Array | undefined;
    let failure: unknown;
    try {
      await this.putAll(order, body.stream(), ledger, signal);
      sum = await body.sum();
    } catch (error) {
      failure = error;
    }
    const stored = {
      rows: ledger.take(),
      strays: ledger.strays.map(({ node, shard: { stripe, index } }) => ({ node, stripe, index })),
    };
    if (sum === undefined) return { kind: 'failed', ...stored, ...this.reasonOf(failure, signal) };
    return { kind: 'stored', ...stored, ...body.sizes, seal: finishSeal(sum) };
  }

  private async putAll(
    { ticket, stripes }: StoreOrder,
    sealed: AsyncIterable<Uint8Array>,
    ledger: WriteLedger,
    signal: AbortSignal,
  ): Promise<void> {
    const { versionId, k, m, sliceBytes } = ticket;
    const { live, codec } = this.parts;
    const source = { versionId, shape: { k, m }, codec, batchBytes: live.current.limits.batch_bytes };
    const width = uploadBatches(live.current, source.shape, sliceBytes);
    await Array.fromAsync(putStripes(slice(sealed, sliceBytes), { stripes, ledger, source, width }, signal));
    signal.throwIfAborted();
  }

  private reasonOf(error: unknown, signal: AbortSignal): { readonly code: ErrorCode; readonly detail: string } {
    if (error instanceof DomainError) return error;
    if (signal.aborted || errorCode(error) === 'ECONNRESET') return { code: 'incomplete-body', detail: 'the body ended early' };
    this.logger.error({ err: error }, 'a body could not be stored');
    return { code: 'internal', detail: 'the peer that stored the body met an error that it does not know' };
  }
}

interface StoreOrder {
  readonly ticket: StoreTicket;
  readonly stripes: StripeStore;
  readonly sealing: VersionSealing;
}
