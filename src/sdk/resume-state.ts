import { HEADER_BYTES } from '../crypto/floe-format.js';
import { masterPurposeKey, type MasterKey } from './account-keys.js';
import { isEqual, type Bytes } from './bytes.js';
import type { ContentIds, PartSeal } from './content.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';
import { KEY_BYTES } from './hkdf.js';
import { assertPlan, partsOf, type PartPlan } from './part-plan.js';
import { openSeal, seal } from './seal.js';

const FORMAT = 0x01;
const HASH_BYTES = 32;

/** What tells that a local file is the one whose upload began: what the file system says, and a hash of its beginning. */
export interface SourceIdentity {
  readonly size: number;
  /** A whole number. */
  readonly modifiedAtMs: number;
  /** SHA-256 over whatever else the platform knows: device, number and first bytes of the file. */
  readonly fingerprint: Bytes;
}

/**
 * What a client keeps of an upload, on its own disk. It holds no state of a cipher: parts that the server has are never sealed again, and
 * those that it has not are sealed anew, under a header and IVs of their own.
 */
export interface ResumeState extends ContentIds {
  readonly uploadId: string;
  readonly contentKey: Bytes;
  readonly source: SourceIdentity;
  readonly plan: PartPlan;
  /** The parts that the server has acknowledged, by their number. */
  readonly sealedParts: ReadonlyMap<number, PartSeal>;
}

export async function sealResumeState(master: MasterKey, state: ResumeState): Promise<Bytes> {
  const writer = new FieldWriter().u8(FORMAT).id(state.uploadId).id(state.nodeId).id(state.revisionId).fixed(state.contentKey);
  writer.u64(state.source.size).u64(state.source.modifiedAtMs).fixed(state.source.fingerprint);
  writer.u64(state.plan.paddedSize).u32(state.plan.segmentsPerPart);
  writer.list([...state.sealedParts], ([part, { header, digest }]) => writer.u32(part).fixed(header).fixed(digest));
  return seal(await masterPurposeKey(master, 'resume'), writer.finish(), { purpose: 'resume', fields: [state.uploadId] });
}

/** @throws SdkError `damaged`, `unsupported-format` */
export async function openResumeState(master: MasterKey, sealed: Uint8Array, uploadId: string): Promise<ResumeState> {
  const key = await masterPurposeKey(master, 'resume');
  const reader = new FieldReader(await openSeal(key, sealed, { purpose: 'resume', fields: [uploadId] })).format(FORMAT);
  const ids = { uploadId: reader.id(), nodeId: reader.id(), revisionId: reader.id() };
  const contentKey = reader.fixed(KEY_BYTES);
  const source = { size: reader.u64(), modifiedAtMs: reader.u64(), fingerprint: reader.fixed(HASH_BYTES) };
  const plan = { paddedSize: reader.u64(), segmentsPerPart: reader.u32() };
  const parts = reader.list(() => {
    const part = reader.u32();
    return [part, { header: reader.fixed(HEADER_BYTES), digest: reader.fixed(HASH_BYTES) }] as const;
  });
  reader.end();
  assertPlan(plan, source.size, partsOf(plan));
  if (ids.uploadId !== uploadId || parts.some(([part]) => part >= partsOf(plan))) throw new SdkError('damaged');
  return { ...ids, contentKey, source, plan, sealedParts: new Map(parts) };
}

/** A changed file is another content: half of each would be neither. @throws SdkError `source-changed` */
export function assertSameSource(state: ResumeState, now: SourceIdentity): void {
  const { size, modifiedAtMs, fingerprint } = state.source;
  const isSame = size === now.size && modifiedAtMs === now.modifiedAtMs && isEqual(fingerprint, now.fingerprint);
  if (!isSame) throw new SdkError('source-changed');
}

/** Which parts are still to be sealed and sent, given those that the server says it holds. */
export function missingParts(state: ResumeState, held: ReadonlyMap<number, Bytes>): readonly number[] {
  return Array.from({ length: partsOf(state.plan) }, (_, part) => part).filter((part) => {
    const [mine, theirs] = [state.sealedParts.get(part)?.digest, held.get(part)];
    return mine === undefined || theirs === undefined || !isEqual(mine, theirs);
  });
}
