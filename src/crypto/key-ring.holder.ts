import { unwatchFile, watchFile } from 'node:fs';
import type { ClusterId } from '../common/ids.js';
import { changeKeyRing, readKeyRing } from './key-ring-file.js';
import type { KeyRing } from './key-ring.js';

/** How often the file is looked at for a change that `dcloud keys rotate` made, in milliseconds. */
const WATCH_MS = 500;

/** The key ring of a running server: the file's content, taken over again when another process changes it. */
export class KeyRingHolder {
  private keyRing: KeyRing;

  constructor(
    private readonly path: string,
    private readonly clusterId: ClusterId,
  ) {
    this.keyRing = readKeyRing(path, clusterId);
  }

  current(): KeyRing {
    return this.keyRing;
  }

  /** @param onChange called after a change was taken over; one that cannot be is left for the next, and the keys in use stay */
  watch(onChange: (problem?: unknown) => void): void {
    watchFile(this.path, { interval: WATCH_MS, persistent: false }, () => {
      try {
        this.keyRing = readKeyRing(this.path, this.clusterId);
        onChange();
      } catch (error) {
        onChange(error);
      }
    });
  }

  unwatch(): void {
    unwatchFile(this.path);
  }

  /** Drops a key that nothing needs any more, here and in the file. */
  drop(id: string): void {
    this.keyRing = changeKeyRing(
      this.path,
      (keyRing) => (keyRing.keys.some((key) => key.id === id) ? keyRing.without(id) : keyRing),
      this.clusterId,
    );
  }
}
