import { Injectable } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { Turns } from '../common/turns.js';

const RETRY_SECONDS = 1;

/** Who sends a part. */
export interface Entrance {
  /** Aborted when the upload ends before the part has arrived. */
  readonly signal: AbortSignal;
  readonly leave: () => void;
}

interface Guest {
  readonly controller: AbortController;
  readonly left: Promise<unknown>;
}

/** Keeps those who send parts of an upload apart from who ends it: what a revision names must not be replaced any more. */
@Injectable()
export class UploadGate {
  private readonly inside = new Map<FileId, Set<Guest>>();
  /** How many wait for each upload or have it alone. */
  private readonly closed = new Map<FileId, number>();
  private readonly turns = new Turns<FileId>();

  /** Whether somebody sends a part right now, or ends the upload. */
  isBusy(upload: FileId): boolean {
    return this.inside.has(upload) || this.closed.has(upload);
  }

  /** @throws DomainError `too-busy` while the upload is being committed or removed */
  enter(upload: FileId, signal: AbortSignal): Entrance {
    if (this.closed.has(upload))
      throw new DomainError('too-busy', 'the upload is being committed or removed', { retryAfterSeconds: RETRY_SECONDS });
    const controller = new AbortController();
    const { promise: left, resolve } = Promise.withResolvers<unknown>();
    const guest: Guest = { controller, left };
    const guests = this.inside.get(upload) ?? new Set();
    this.inside.set(upload, guests.add(guest));
    const leave = (): void => {
      guests.delete(guest);
      if (guests.size === 0) this.inside.delete(upload);
      resolve(undefined);
    };
    return { signal: AbortSignal.any([signal, controller.signal]), leave };
  }

  /** Runs the end of an upload when nobody sends a part of it any more: who does is shown out. */
  async alone<Result>(upload: FileId, work: () => Promise<Result>): Promise<Result> {
    this.closed.set(upload, (this.closed.get(upload) ?? 0) + 1);
    try {
      return await this.turns.take(upload, async () => {
        const guests = [...(this.inside.get(upload) ?? [])];
        for (const { controller } of guests) controller.abort(ended());
        await Promise.all(guests.map(({ left }) => left));
        return work();
      });
    } finally {
      const waiting = (this.closed.get(upload) ?? 1) - 1;
      if (waiting > 0) this.closed.set(upload, waiting);
      else this.closed.delete(upload);
    }
  }
}

function ended(): DomainError {
  return new DomainError('upload-not-found', 'the upload was committed or removed before this part had arrived');
}
