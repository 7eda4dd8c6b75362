import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { FileId, OwnerId } from '../common/ids.js';
import { holding } from '../common/outcome-unknown-error.js';
import { AccountLimits, type Quota } from '../http/account-limits.js';
import { MetadataStore, usageOfAll } from '../metadata/metadata-store.js';

/** An upload that is to be let in. */
export interface QuotaWish {
  /** The account's own, also for what goes into its drive. */
  readonly owner: OwnerId;
  /** Of its body, if that is known. */
  readonly bytes: number | undefined;
  /** The file that it replaces, whose bytes become free. */
  readonly replaces?: FileId | undefined;
}

/** Room that an upload has in the quota of its owner. */
export interface Reservation {
  /** The same bytes, for which room is made as they come; fails where there is none. */
  counted(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Gives it back: what was stored counts as such by now. Once, whether it was stored or not. */
  release(): void;
}

/** What is in flight of one owner. */
interface Account {
  readonly owner: OwnerId;
  bytes: number;
  files: number;
  uploads: number;
  /** Grows with each upload that ends: what was read before of what is stored may not have it. */
  ended: number;
  readonly replacing: Map<FileId, Set<Held>>;
}

interface Held {
  /** Of the body, as far as it is known. */
  bytes: number;
  files: number;
  /** Bytes of the file that it replaces, as long as nothing else in flight may change how many they are. */
  credit: number;
}

const UNLIMITED: Reservation = { counted: (body) => body, release: () => undefined };

/**
 * Keeps uploads within the quotas of their owners, however many come at once: what is in flight counts as if it were stored. That of an upload is
 * given back after the index has it, so at no moment is it in neither of the two.
 */
@Injectable()
export class QuotaLedger {
  private readonly accounts = new Map<OwnerId, Account>();

  constructor(
    readonly limits: AccountLimits,
    private readonly metadata: MetadataStore,
  ) {}

  /**
   * Runs what stores something within the quota of its owner, who cannot end meanwhile.
   * @throws DomainError as {@link reserve}; `unauthenticated` if the owner is no more
   */
  async during<Result>(wish: QuotaWish, signal: AbortSignal, store: (room: Reservation) => Promise<Result>): Promise<Result> {
    const stored = this.limits.begin(wish.owner);
    return holding(async () => {
      const room = await this.reserve(wish, signal);
      return holding(
        () => store(room),
        () => room.release(),
      );
    }, stored);
  }

  /** @throws DomainError `quota-exceeded`; `body-too-large` if it alone is larger than the whole quota */
  async reserve({ owner, bytes = 0, replaces }: QuotaWish, signal: AbortSignal): Promise<Reservation> {
    const quota = this.limits.quotaOf(owner);
    if (quota === undefined || (quota.bytes === null && quota.files === null)) return UNLIMITED;
    const account = this.accounts.get(owner) ?? newAccount(owner);
    this.accounts.set(owner, account);
    account.uploads += 1;
    const held: Held = { bytes: 0, files: 0, credit: 0 };
    if (replaces !== undefined) rivalsOf(account, replaces).add(held);
    const release = (): void => this.release(account, held, replaces);
    try {
      await this.take(account, held, { bytes, replaces }, signal);
    } catch (error) {
      release();
      throw error;
    }
    return { release, counted: (body, until) => this.counted(account, held, body, until) };
  }

  private async *counted(
    account: Account,
    held: Held,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let bytes = 0;
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > held.bytes) await this.grow(account, held, bytes, signal);
      yield chunk;
    }
  }

  /** The first room of an upload. */
  private async take(
    account: Account,
    held: Held,
    { bytes, replaces }: { readonly bytes: number; readonly replaces: FileId | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    await this.within(account, signal, async () => {
      const size = replaces === undefined ? 0 : ((await this.metadata.find(replaces, signal))?.file.size ?? 0);
      return () => {
        const rivals = replaces === undefined ? [] : [...rivalsOf(account, replaces)].filter((other) => other !== held);
        // Of two that replace one file none can count on what the other makes of it.
        const credit = rivals.length === 0 ? size : 0;
        const revoked = rivals.map((rival) => ({ rival, bytes: charge({ ...rival, credit: 0 }) - charge(rival) }));
        const after: Held = { bytes, files: replaces === undefined ? 1 : 0, credit };
        const more = charge(after) + revoked.reduce((sum, each) => sum + each.bytes, 0);
        const apply = (): void => {
          Object.assign(held, after);
          for (const { rival } of revoked) rival.credit = 0;
        };
        return { bytes: more, files: after.files, body: bytes, apply };
      };
    });
  }

  private async grow(account: Account, held: Held, bytes: number, signal: AbortSignal): Promise<void> {
    await this.within(account, signal, () => () => {
      const more = charge({ ...held, bytes }) - charge(held);
      return { bytes: more, files: 0, body: bytes, apply: () => void (held.bytes = bytes) };
    });
  }

  /**
   * Lets a claim through if it fits into the quota beside what is stored and what is in flight.
   * @param prepare reads what the claim depends on; the claim itself is made and judged in one step
   */
  private async within(
    account: Account,
    signal: AbortSignal,
    prepare: () => Promise<() => Claim> | (() => Claim),
  ): Promise<void> {
    for (;;) {
      const { ended } = account;
      const make = await prepare();
      const stored = await usageOfAll(this.metadata, this.limits.ownersOf(account.owner), signal);
      if (ended !== account.ended) continue; // what has ended meanwhile may be in none of the two
      const claim = make();
      check(claim, this.limits.quotaOf(account.owner), {
        bytes: stored.bytes + account.bytes,
        files: stored.files + account.files,
      });
      claim.apply();
      account.bytes += claim.bytes;
      account.files += claim.files;
      return;
    }
  }

  private release(account: Account, held: Held, replaces: FileId | undefined): void {
    account.bytes -= charge(held);
    account.files -= held.files;
    account.ended += 1;
    account.uploads -= 1;
    if (replaces !== undefined) {
      const rivals = rivalsOf(account, replaces);
      rivals.delete(held);
      if (rivals.size === 0) account.replacing.delete(replaces);
    }
    if (account.uploads === 0) this.accounts.delete(account.owner);
  }
}

/** More that is to be taken. */
interface Claim {
  readonly bytes: number;
  readonly files: number;
  /** Bytes of the whole body, as far as it is known. */
  readonly body: number;
  readonly apply: () => void;
}

function check(claim: Claim, quota: Quota | undefined, taken: { readonly bytes: number; readonly files: number }): void {
  const { bytes, files } = quota ?? { bytes: null, files: null };
  if (bytes !== null && claim.body > bytes)
    throw new DomainError('body-too-large', `the file is larger than the whole quota of ${bytes} bytes`);
  if (bytes !== null && claim.bytes > 0 && taken.bytes + claim.bytes > bytes)
    throw new DomainError('quota-exceeded', `the quota of ${bytes} bytes has no room for this`);
  if (files !== null && claim.files > 0 && taken.files + claim.files > files)
    throw new DomainError('quota-exceeded', `the quota of ${files} files has no room for another`);
}

function charge({ bytes, credit }: Held): number {
  return Math.max(0, bytes - credit);
}

function newAccount(owner: OwnerId): Account {
  return { owner, bytes: 0, files: 0, uploads: 0, ended: 0, replacing: new Map() };
}

function rivalsOf({ replacing }: Account, id: FileId): Set<Held> {
  const rivals = replacing.get(id) ?? new Set();
  replacing.set(id, rivals);
  return rivals;
}
