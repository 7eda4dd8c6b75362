import { Injectable } from '@nestjs/common';
import type { VersionId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import type { VersionOpening } from '../crypto/version-keys.js';

/** A small version as it was stored or last read: sealed, with what opens it. */
export interface SmallVersion {
  readonly sealed: Uint8Array;
  readonly opening: VersionOpening;
}

/** Memory that an entry takes beside its bytes: keys, closures, the map. */
const ENTRY_BYTES = 1024;

/**
 * Keeps small files that were stored or read lately, so that the next read asks no node. A version never changes, so nothing here can be out
 * of date: which version a file has is for the index to say. What is kept is sealed, and each read authenticates it anew.
 */
@Injectable()
export class SmallFileCache {
  /** The one that was used longest ago comes first. */
  private readonly entries = new Map<VersionId, SmallVersion>();
  private readonly bytesMax: number;
  private bytes = 0;

  constructor({ limits }: AppConfig) {
    this.bytesMax = limits.small_cache_bytes;
  }

  get(versionId: VersionId): SmallVersion | undefined {
    const entry = this.entries.get(versionId);
    if (entry === undefined) return undefined;
    this.entries.delete(versionId);
    this.entries.set(versionId, entry);
    return entry;
  }

  /** Takes a version; the bytes are the cache's from now on. */
  add(versionId: VersionId, entry: SmallVersion): void {
    this.forget(versionId);
    this.entries.set(versionId, entry);
    this.bytes += sizeOf(entry);
    for (const oldest of this.entries.keys()) {
      if (this.bytes <= this.bytesMax) return;
      this.forget(oldest);
    }
  }

  /** Lets go of a version, and of its key: it was deleted, or is not what it should be. */
  forget(versionId: VersionId): void {
    const entry = this.entries.get(versionId);
    if (entry === undefined) return;
    this.entries.delete(versionId);
    this.bytes -= sizeOf(entry);
  }
}

function sizeOf({ sealed }: SmallVersion): number {
  return sealed.length + ENTRY_BYTES;
}
