import { closeSync, existsSync, fsyncSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ClusterId } from '../../common/ids.js';
import { IndexPlace, type IndexBuilding } from '../index-place.js';
import type { TransferableStore } from '../moving/index-transfer.js';
import { type OpeningPurpose, TO_USE } from '../moving/index-transit.js';
import { LmdbMetadataStore } from './lmdb.metadata-store.js';

/** The index in a directory of this machine. */
export class EmbeddedIndexPlace extends IndexPlace {
  override readonly engine = 'embedded';
  override readonly isLocal = true;

  constructor(
    private readonly directory: string,
    private readonly clusterId: ClusterId,
  ) {
    super();
  }

  override open(mayCreate: boolean, purpose: OpeningPurpose = TO_USE): Promise<TransferableStore> {
    return LmdbMetadataStore.open({ directory: this.directory, clusterId: this.clusterId, mayCreate, purpose });
  }

  /** The lock of its directory cannot be taken from anybody. */
  override seize(): Promise<void> {
    return Promise.resolve();
  }

  /** Nobody else can reach it: that two do not claim one term is the nodes' to see. */
  override claimTerm(known: number): Promise<number> {
    return Promise.resolve(known + 1);
  }

  override build(): IndexBuilding {
    const { directory: place, clusterId } = this;
    const directory = `${place}.rebuilding`;
    return {
      directory,
      open: () => LmdbMetadataStore.open({ directory, clusterId, mayCreate: true }),
      replace: () => Promise.resolve(replace(place, directory)),
    };
  }
}

/** Puts a finished directory in the place of another one, which is kept; returns where. */
function replace(directory: string, finished: string): string | undefined {
  const kept = existsSync(directory) ? `${directory}.replaced-${Date.now()}` : undefined;
  if (kept !== undefined) renameSync(directory, kept);
  renameSync(finished, directory);
  if (process.platform === 'win32') return kept; // which opens no directories
  const parent = openSync(dirname(directory), 'r');
  try {
    fsyncSync(parent);
  } finally {
    closeSync(parent);
  }
  return kept;
}
