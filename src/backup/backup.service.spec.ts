import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppConfig } from '../config/app-config.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import type { BackupWriter } from './backup-writer.js';
import { BackupService } from './backup.service.js';

const NEVER = new AbortController().signal;

describe('BackupService', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dcloud-spool-'));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  function serviceOf(pieces: () => AsyncIterable<Uint8Array>, storage = directory): BackupService {
    const config = { storage_directory: storage } as AppConfig;
    return new BackupService(config, {} as MetadataStore, { write: pieces } as unknown as BackupWriter);
  }

  it('makes one at a time, in a file without a name, and another one when that is done or has failed', async () => {
    const gate = Promise.withResolvers<undefined>();
    let failure: Error | undefined;
    const service = serviceOf(async function* () {
      yield Buffer.from('first, ');
      await gate.promise;
      if (failure !== undefined) throw failure;
      yield Buffer.from('second');
    });
    const first = service.make(NEVER);
    await expect(service.make(NEVER)).rejects.toMatchObject({ code: 'backup-running' });
    gate.resolve(undefined);
    const backup = await first;
    expect(await readdir(directory)).toEqual([]);
    const { size } = await backup.file.stat();
    const { buffer } = await backup.file.read(Buffer.alloc(size), 0, size, 0);
    expect(buffer.toString()).toBe('first, second');
    await expect(service.make(NEVER)).rejects.toMatchObject({ code: 'backup-running' });
    await backup.close();
    failure = new Error('lost');
    await expect(service.make(NEVER)).rejects.toThrow('lost');
    failure = undefined;
    await (await service.make(NEVER)).close();
    expect(await readdir(directory)).toEqual([]);
  });

  it('says by a code that there is no room or no place for it', async () => {
    const pieces = (): AsyncIterable<Uint8Array> => new Blob([]).stream();
    const service = serviceOf(pieces, join(directory, 'nowhere'));
    await expect(service.make(NEVER)).rejects.toMatchObject({ code: 'backup-failed', detail: expect.stringContaining('ENOENT') });
  });
});
