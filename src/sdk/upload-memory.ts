import { tuple } from '../crypto/tuple.js';
import { idFromBytes, idToBytes, type FileId } from '../common/ids.js';
import type { MasterKey } from './account-keys.js';
import { concat, sha256, type Bytes } from './bytes.js';
import type { PartSeal } from './content.js';
import type { ResumeStore } from './drive-api.js';
import type { DriveCalls } from './drive-calls.js';
import { SdkError } from './errors.js';
import {
  assertSameSource,
  missingParts,
  openResumeState,
  sealResumeState,
  type ResumeState,
  type SourceIdentity,
} from './resume-state.js';
import type { SizedSource } from './source.js';

const ID_BYTES = 16;

/** What a device keeps of one upload, so that the same command goes on with it after a break: one sealed value for each source and target. */
export class UploadMemory {
  private constructor(
    private readonly store: ResumeStore,
    private readonly name: string,
    private readonly master: MasterKey,
    private readonly source: SourceIdentity,
  ) {}

  /** Undefined for a source that cannot be told from another one later. */
  static async of(
    store: ResumeStore | undefined,
    source: SizedSource,
    { master, folderId, name }: { readonly master: MasterKey; readonly folderId: string; readonly name: string },
  ): Promise<UploadMemory | undefined> {
    const { size, modifiedAtMs, fingerprint, origin } = source;
    if (store === undefined || modifiedAtMs === undefined || fingerprint === undefined) return undefined;
    const key = await sha256(tuple('dcloud/e2ee/v1/resume-name', master.accountId, folderId, name, origin ?? ''));
    const hex = Array.from(key.subarray(0, ID_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
    return new UploadMemory(store, `upload-${hex}`, master, { size, modifiedAtMs, fingerprint });
  }

  /**
   * The upload to go on with, with those parts alone that the server holds as they were sealed here. What cannot be gone on with, for the local file
   * is another one or the state was damaged, is removed: it begins anew, under a new key.
   */
  async resume(calls: DriveCalls, signal: AbortSignal): Promise<ResumeState | undefined> {
    const state = await this.read();
    if (state === undefined) return undefined;
    try {
      assertSameSource(state, this.source);
    } catch (error) {
      if (!(error instanceof SdkError)) throw error;
      await this.forget();
      await calls.removeUpload(state.uploadId, signal).catch(() => undefined); // the server does so by itself after some days
      return undefined;
    }
    return state;
  }

  /** The parts of a state that need not be sent again. */
  static heldParts(state: ResumeState, held: ReadonlyMap<number, Bytes>): ReadonlyMap<number, PartSeal> {
    const missing = new Set(missingParts(state, held));
    return new Map([...state.sealedParts].filter(([part]) => !missing.has(part)));
  }

  async keep(state: Omit<ResumeState, 'source'>): Promise<void> {
    const sealed = await sealResumeState(this.master, { ...state, source: this.source });
    await this.store.set(this.name, concat(idToBytes(state.uploadId as FileId), sealed));
  }

  async forget(): Promise<void> {
    await this.store.delete(this.name);
  }

  private async read(): Promise<ResumeState | undefined> {
    try {
      const bytes = await this.store.get(this.name);
      if (bytes === undefined) return undefined;
      const uploadId = idFromBytes<FileId>(Uint8Array.from(bytes.subarray(0, ID_BYTES)));
      return await openResumeState(this.master, bytes.subarray(ID_BYTES), uploadId);
    } catch {
      await this.forget();
      return undefined; // changed on the disk, or of a master key of before: nothing is lost but what was sent
    }
  }
}
