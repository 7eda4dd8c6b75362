import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { type OwnerId, STORE_OWNER } from '../common/ids.js';

/** What an owner may store at the most; null is no limit. */
export interface Quota {
  readonly bytes: number | null;
  readonly files: number | null;
}

/** What is known of an owner that is an account. */
export interface KnownOwner {
  readonly quota: Quota;
  /** All owners whose files count as the account's: its own, and its drive. */
  readonly owners: readonly OwnerId[];
}

/** What owners may store: asked by who stores, told by who knows the accounts, which are stored themselves. */
@Injectable()
export class AccountLimits {
  private known: (owner: OwnerId) => KnownOwner | undefined = () => undefined;
  /** Uploads under way, by their owners. */
  private readonly storing = new Map<OwnerId, number>();
  private readonly ending = new Set<OwnerId>();

  /** Undefined: anything. */
  quotaOf(owner: OwnerId): Quota | undefined {
    return this.known(owner)?.quota;
  }

  /** Whose files count for its quota. */
  ownersOf(owner: OwnerId): readonly OwnerId[] {
    return this.known(owner)?.owners ?? [owner];
  }

  /** From now on this one knows. */
  knowBy(known: (owner: OwnerId) => KnownOwner | undefined): void {
    this.known = known;
  }

  /**
   * Notes that an owner stores something, who then cannot end.
   * @returns how to note that it is done
   * @throws DomainError `unauthenticated` if the owner is no more since the request was let in: what it stores would be nobody's
   */
  begin(owner: OwnerId): () => void {
    if (owner === STORE_OWNER) return NOTHING; // which does not end
    if (this.ending.has(owner) || this.known(owner) === undefined)
      throw new DomainError('unauthenticated', 'the account is no more');
    this.storing.set(owner, this.uploadsOf(owner) + 1);
    return () => {
      const left = this.uploadsOf(owner) - 1;
      if (left > 0) this.storing.set(owner, left);
      else this.storing.delete(owner);
    };
  }

  /** Runs the end of an owner, who stores nothing meanwhile. @throws DomainError `account-not-empty` if it does right now */
  async end(owner: OwnerId, work: () => Promise<void>): Promise<void> {
    if (this.storing.has(owner)) throw new DomainError('account-not-empty', 'the account is storing a file');
    this.ending.add(owner);
    try {
      await work();
    } finally {
      this.ending.delete(owner);
    }
  }

  private uploadsOf(owner: OwnerId): number {
    return this.storing.get(owner) ?? 0;
  }
}

const NOTHING = (): void => undefined;
