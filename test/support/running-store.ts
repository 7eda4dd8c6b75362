import 'reflect-metadata';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from '../../src/app.module.js';
import { ProcessLock } from '../../src/common/process-lock.js';
import type { AppConfig } from '../../src/config/app-config.js';
import { loadConfig } from '../../src/config/load-config.js';
import { createNest, placeGate } from '../../src/create-app.js';
import { DocumentStore } from '../../src/documents/document-store.js';
import { DownloadService } from '../../src/files/download.service.js';
import { MetadataStore } from '../../src/metadata/metadata-store.js';
import { NodeRegistry } from '../../src/nodes/node-registry.js';
import { RecoveryModule } from '../../src/recovery/recovery.module.js';
import { MEMORY_DISK } from './memory-disk.js';

const NEVER = new AbortController().signal;

/** The whole program in this process, on folders of its own, but for what listens. */
export class RunningStore {
  private constructor(
    readonly directory: string,
    readonly config: AppConfig,
    readonly app: NestExpressApplication,
  ) {}

  static async make(config: Readonly<Record<string, unknown>> = {}): Promise<RunningStore> {
    const directory = await mkdtemp(join(MEMORY_DISK, 'documents-'));
    const file = join(directory, 'config.json');
    const whole = {
      storage_directory: join(directory, 'data'),
      node_count: 3,
      redundancy_count: 1,
      port: 0,
      log_level: 'fatal',
      ...config,
    };
    await writeFile(file, JSON.stringify(whole));
    return RunningStore.open(directory);
  }

  static async open(directory: string): Promise<RunningStore> {
    const sources = { environment: {}, flags: {}, node: undefined };
    const config = loadConfig({ defaultsFile: 'config/default.json', file: join(directory, 'config.json'), ...sources });
    const app = await createNest(AppModule.forRoot(config), config, { logger: false });
    await app.init();
    return new RunningStore(directory, config, app);
  }

  get documents(): DocumentStore {
    return this.app.get(DocumentStore, { strict: false });
  }

  get metadata(): MetadataStore {
    return this.app.get(MetadataStore, { strict: false });
  }

  /** Everything that is stored, the server's own records among it, with its names and without the seal at rest. */
  async *contents(): AsyncGenerator<{ readonly where: string; readonly bytes: Buffer }, void, undefined> {
    const downloads = this.app.get(DownloadService, { strict: false });
    for await (const { file } of this.metadata.files(NEVER)) {
      const open = await downloads.openFound(() => this.metadata.find(file.id, NEVER), NEVER);
      if (open === undefined) continue;
      const where = `${file.owner} ${file.name} ${file.contentType}`;
      const content = await Array.fromAsync(downloads.read(open, { from: 0, to: open.file.size }, NEVER));
      open.release();
      yield { where, bytes: Buffer.concat([Buffer.from(`${where}\0`), ...content]) };
    }
  }

  async listen(): Promise<string> {
    placeGate(this.app);
    await this.app.listen(0, '127.0.0.1');
    return this.app.getUrl();
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.metadata.close();
    await Promise.all(this.app.get(NodeRegistry, { strict: false }).nodes.map((node) => node.close()));
    release(this.app);
  }

  /** What the command line does to a store that is closed. */
  async atRest<Result>(work: (context: INestApplicationContext) => Promise<Result>): Promise<Result> {
    const context = await NestFactory.createApplicationContext(RecoveryModule.forRoot(this.config), { logger: false });
    try {
      return await work(context);
    } finally {
      await context.close();
      release(context);
    }
  }
}

/** A process that ends does this. */
function release(context: INestApplicationContext): void {
  context.get(ProcessLock, { strict: false }).release();
}
