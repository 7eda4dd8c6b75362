import type { MetadataStore } from './metadata-store.js';
import type { TransferableStore } from './moving/index-transfer.js';
import type { Engine, OpeningPurpose } from './moving/index-transit.js';

/** An index that is made anew while the one that may be there stays as it is. */
export interface IndexBuilding {
  /** A directory beside it, for notes of how far it has come. What was left there by an earlier one that can go on is still there. */
  readonly directory: string;
  /** @throws DomainError `storage-locked`, `storage-mismatch`, `storage-unusable` */
  open(): Promise<MetadataStore>;
  /** Puts it, closed, in the place of the other one, which is kept; returns where, in words. */
  replace(): Promise<string | undefined>;
}

/** Where the index of this store is, as the configuration says: one for each engine. */
export abstract class IndexPlace {
  abstract readonly engine: Engine;

  /** Whether it is only this machine's, so that with the machine the index is gone. */
  abstract readonly isLocal: boolean;

  /**
   * @param mayCreate false if the nodes hold data: an index that is not there has then been lost, and an empty one must not take its place
   * @param purpose absent: to use it
   * @throws DomainError `storage-missing`, `storage-mismatch`, `storage-locked`, `storage-unusable`, `index-moved`, `index-half-moved`,
   * and `migration-refused` where another index is to arrive and cannot
   */
  abstract open(mayCreate: boolean, purpose?: OpeningPurpose): Promise<TransferableStore>;

  /** Lets nobody else have the index from now on, who is not the gateway any more and may not know it. Resolves when this process could open it. */
  abstract seize(): Promise<void>;

  /**
   * The term with which this process may take over: later than all that are known, and, where others can reach the index, given to nobody else.
   * Nothing changes for who has the index.
   * @throws DomainError `storage-missing`; `storage-unusable`, `storage-mismatch` if it cannot be reached
   */
  abstract claimTerm(known: number): Promise<number>;

  abstract build(): IndexBuilding;
}
