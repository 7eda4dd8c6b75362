import { Injectable } from '@nestjs/common';
import type { FileId } from '../common/ids.js';
import { Turns } from '../common/turns.js';
import { StaleBasisError, type MetadataStore } from '../metadata/metadata-store.js';
import { type PutRecord, RecordStore } from '../redundancy/record-store.js';

/** Attempts at one change, against another gateway that changes the same file. */
const ATTEMPTS = 10;

/**
 * Lets one change of a file follow the other: each writes its records to the nodes and then commits, and of two that overlap the index could
 * take only one. Changes of different files do not wait for each other.
 */
@Injectable()
export class FileChanges {
  private readonly turns = new Turns<FileId>();

  constructor(readonly records: RecordStore) {}

  get metadata(): MetadataStore {
    return this.records.parts.metadata;
  }

  /** Runs a change of a file when those before it have ended; again, if the file has changed under it. */
  async change<Result>(id: FileId, work: (put: PutRecord) => Promise<Result>): Promise<Result> {
    return this.turns.take(id, () => this.attempt(work));
  }

  private async attempt<Result>(work: (put: PutRecord) => Promise<Result>): Promise<Result> {
    for (let left = ATTEMPTS; ; left -= 1) {
      try {
        return await this.records.change(work);
      } catch (error) {
        if (!(error instanceof StaleBasisError) || left === 1) throw error;
      }
    }
  }
}
