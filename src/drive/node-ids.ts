import { Injectable } from '@nestjs/common';
import type { AccountId } from '../auth/account.js';
import { newId, type FileId } from '../common/ids.js';

/** Of one account; more, and the oldest are forgotten. */
const IDS_OF_ACCOUNT_MAX = 4_000;
/** Of all together; more, and those are forgotten whose account asked longest ago. */
const IDS_MAX = 400_000;
const ID_MS_MAX = 3_600_000;

/** An id that was taken for something. */
export interface TakenId {
  /** It was not used after all. */
  readonly giveBack: () => void;
}

/**
 * Ids for nodes and links that are about to be made: what a client seals names them. In memory, since an id that is lost costs a client
 * nothing but sealing again, and one that is used twice would bring something back to life.
 */
@Injectable()
export class NodeIds {
  /** When each is over, in milliseconds since 1970; the accounts in the order in which they asked last. */
  private readonly issued = new Map<AccountId, Map<FileId, number>>();
  private count = 0;

  issue(account: AccountId, count: number): readonly FileId[] {
    const own = this.issued.get(account) ?? new Map<FileId, number>();
    this.issued.delete(account);
    this.issued.set(account, own);
    const ids = Array.from({ length: count }, () => newId<FileId>());
    const expiresAt = Date.now() + ID_MS_MAX;
    for (const id of ids) own.set(id, expiresAt);
    this.count += count;
    this.forget(own, (_, { size }) => size > IDS_OF_ACCOUNT_MAX);
    for (const each of this.issued.values()) {
      if (this.count <= IDS_MAX) break;
      this.forget(each, () => this.count > IDS_MAX);
    }
    return ids;
  }

  /** Takes an id that this account was given, for one use. Undefined if it has no such id. */
  take(account: AccountId, id: FileId): TakenId | undefined {
    const own = this.issued.get(account);
    const expiresAt = own?.get(id);
    if (own === undefined || expiresAt === undefined) return undefined;
    this.remove(own, id);
    if (expiresAt <= Date.now()) return undefined;
    const giveBack = (): void => {
      const now = this.issued.get(account) ?? new Map<FileId, number>();
      this.issued.set(account, now);
      now.set(id, expiresAt);
      this.count += 1;
    };
    return { giveBack };
  }

  /** Removes the oldest as long as there are too many, and what is over. */
  private forget(own: Map<FileId, number>, isTooMuch: (id: FileId, left: Map<FileId, number>) => boolean): void {
    const now = Date.now();
    for (const [id, expiresAt] of own) {
      if (expiresAt > now && !isTooMuch(id, own)) return;
      this.remove(own, id);
    }
  }

  private remove(own: Map<FileId, number>, id: FileId): void {
    if (own.delete(id)) this.count -= 1;
  }
}
