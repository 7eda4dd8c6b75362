import { stat } from 'node:fs/promises';
import type { ClusterId } from '../common/ids.js';
import { readKeyRing } from '../crypto/key-ring-file.js';
import type { KeyRing } from '../crypto/key-ring.js';

/** How long a key ring that could not be read is taken not to be there. */
const ABSENT_MS = 10_000;

/**
 * The copy of the key ring that a peer may have, to read and never to change: as its file is at the moment, since the gateway's may have got a new
 * key, and whoever runs the cluster copies it here.
 */
export class KeyRingCopy {
  private read: { readonly stamp: string; readonly keyRing: KeyRing } | undefined;
  private failedAt = -Infinity;

  constructor(
    private readonly path: string,
    private readonly clusterId: () => ClusterId | undefined,
  ) {}

  /** Whether it is worth while to ask for it. */
  get isThere(): boolean {
    return performance.now() - this.failedAt > ABSENT_MS;
  }

  /** @throws DomainError as {@link readKeyRing}; an error of the file system if it is not there */
  async current(): Promise<KeyRing> {
    try {
      const { mtimeMs, size, ino } = await stat(this.path);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      if (this.read?.stamp !== stamp) this.read = { stamp, keyRing: readKeyRing(this.path, this.clusterId()) };
      return this.read.keyRing;
    } catch (error) {
      this.read = undefined;
      this.failedAt = performance.now();
      throw error;
    }
  }
}
