import { mapOrdered } from '../common/map-ordered.js';
import { Turns } from '../common/turns.js';
import type { Bytes } from './bytes.js';
import { sealPart, type ContentCipher, type PartSeal, type SealedContent, type SealedPart } from './content.js';
import type { DriveCalls } from './drive-calls.js';
import { partAt, partsOf, planParts, planStream, type PartPlan } from './part-plan.js';
import type { ProgressMeter } from './progress.js';
import type { SizedSource } from './source.js';
import { STREAM_SEALED_BYTES, StreamReader, sealStreamParts, type StreamEnd } from './stream-parts.js';

/** What lies in memory at once, sealed: three parts of 16 MiB, or one of 64 MiB. */
const PARTS_BYTES_MAX = 3 * 2 ** 24;

/** Parts on their way to the server. */
export interface PartsUpload {
  readonly uploadId: string;
  readonly cipher: ContentCipher;
  /** What the server has already, as it was acknowledged. */
  readonly held: ReadonlyMap<number, PartSeal>;
  readonly meter: ProgressMeter;
  /** Told about each part that the server has acknowledged. */
  readonly onPart?: (part: number, seal: PartSeal) => Promise<void>;
}

/** Seals the parts that are missing and sends them, some at a time. @returns what the manifest says of the content */
export async function sendParts(
  calls: DriveCalls,
  { source, plan = planParts(source.size) }: { readonly source: SizedSource; readonly plan?: PartPlan },
  upload: PartsUpload,
  signal: AbortSignal,
): Promise<SealedContent> {
  const { cipher, held, meter } = upload;
  const parts = new Map(held);
  const trueSize = source.size;
  const bytesIn = (part: number): number => {
    const { from, to } = partAt(plan, part).plain;
    return Math.max(0, Math.min(to, trueSize) - from);
  };
  for (const part of held.keys()) meter.skip(bytesIn(part));
  const missing = Array.from({ length: partsOf(plan) }, (_, part) => part).filter((part) => !held.has(part));
  const width = Math.max(1, Math.floor(PARTS_BYTES_MAX / partAt(plan, 0).sealedSize));
  await allOrNone(signal, async (either) => {
    const turns = new Turns<'state'>();
    const buffers = new BufferPool(partAt(plan, 0).sealedSize);
    const sent = mapOrdered(missing, Math.min(width, 3), async (part) => {
      either.throwIfAborted();
      const span = partAt(plan, part);
      const to = Math.min(span.plain.to, trueSize);
      const read = span.plain.from < to ? source.read(span.plain.from, to) : nothing();
      const into = buffers.take();
      const sealed = await sealPart(cipher, span, { source: read, trueSize, into });
      await send(calls, upload, { ...sealed, part }, either);
      buffers.giveBack(into);
      meter.add(bytesIn(part));
      parts.set(part, sealOf(sealed));
      await turns.take('state', async () => upload.onPart?.(part, sealOf(sealed)));
    });
    await drain(sent);
  });
  return { plan, trueSize, parts: inOrder(parts) };
}

/** The same of a stream: sealed one part after the other while it comes, and sent some at a time. */
export async function sendStream(
  calls: DriveCalls,
  reader: StreamReader,
  upload: PartsUpload,
  signal: AbortSignal,
): Promise<SealedContent> {
  const parts = new Map<number, PartSeal>();
  let end: StreamEnd = { plan: planStream(0), trueSize: 0 };
  await allOrNone(signal, async (either) => {
    const buffers = new BufferPool(STREAM_SEALED_BYTES);
    const sealed = sealStreamParts(upload.cipher, { reader, take: () => buffers.take() }, (found) => {
      end = found;
    });
    const sent = mapOrdered(sealed, 2, async (part) => {
      either.throwIfAborted();
      await send(calls, upload, part, either);
      buffers.giveBack(new Uint8Array(part.bytes.buffer));
      upload.meter.add(part.trueBytes);
      parts.set(part.part, sealOf(part));
    });
    await drain(sent);
  });
  return { ...end, parts: inOrder(parts) };
}

/** The buffers of parts that were sent, for the next ones: a new one for each would fill the memory faster than it is tidied. */
class BufferPool {
  private readonly free: Bytes[] = [];

  constructor(private readonly bytes: number) {}

  take(): Bytes {
    return this.free.pop() ?? new Uint8Array(this.bytes);
  }

  giveBack(buffer: Bytes): void {
    this.free.push(buffer);
  }
}

async function send(
  calls: DriveCalls,
  { uploadId }: PartsUpload,
  { part, bytes, digest }: SealedPart & { readonly part: number },
  signal: AbortSignal,
): Promise<void> {
  await calls.putPart(uploadId, { part, bytes, digest }, signal);
}

/** Once one part has failed the others need not go on. */
async function allOrNone(signal: AbortSignal, work: (either: AbortSignal) => Promise<void>): Promise<void> {
  const failed = new AbortController();
  try {
    await work(AbortSignal.any([signal, failed.signal]));
  } finally {
    failed.abort();
  }
}

async function drain(results: AsyncIterable<void>): Promise<void> {
  const all = results[Symbol.asyncIterator]();
  while ((await all.next()).done !== true);
}

/** Not the bytes: they would stay in memory as long as the upload lasts. */
function sealOf({ header, digest }: PartSeal): PartSeal {
  return { header, digest };
}

function inOrder(parts: ReadonlyMap<number, PartSeal>): readonly PartSeal[] {
  return Array.from({ length: parts.size }, (_, part) => parts.get(part) as PartSeal);
}

/** What lies in a part of padding alone. */
async function* nothing(): AsyncGenerator<Bytes, void, undefined> {
  // ends at once
}
