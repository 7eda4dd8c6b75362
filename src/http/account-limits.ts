import { Injectable } from '@nestjs/common';
import type { OwnerId } from '../common/ids.js';

/** What an owner may store at the most; null is no limit. */
export interface Quota {
  readonly bytes: number | null;
  readonly files: number | null;
}

/** What owners may store: asked by who stores, told by who knows the accounts, which are stored themselves. */
@Injectable()
export class AccountLimits {
  private known: (owner: OwnerId) => Quota | undefined = () => undefined;

  /** Undefined: anything. */
  quotaOf(owner: OwnerId): Quota | undefined {
    return this.known(owner);
  }

  /** From now on this one knows. */
  knowBy(known: (owner: OwnerId) => Quota | undefined): void {
    this.known = known;
  }
}
