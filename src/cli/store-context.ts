import 'reflect-metadata';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { openStoreAtRest, type StoreAtRest } from '../cluster/store-at-rest.js';
import type { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import type { ClusterMap } from '../config/cluster-map.js';
import { lockStorage } from '../config/storage-lock.js';
import { FolderNodeSource } from '../nodes/folder-node-source.js';
import { RecoveryModule } from '../recovery/recovery.module.js';
import type { RebuildOptions, RebuildResult } from '../recovery/rebuild.service.js';
import { throttled } from './throttled.js';

/** Exit code for a store in which something is not as it should be. */
export const EXIT_PROBLEMS = 1;

export interface StoreContext {
  readonly get: INestApplicationContext['get'];
  readonly close: () => Promise<void>;
}

/**
 * What is done to a store at rest. With peers the process of the gateway is the one that does not run; the others serve their nodes.
 * @param map of a store without peers and without `cluster.json`; it is not written
 * @throws DomainError `storage-locked` while a server runs
 */
export async function openContext(config: AppConfig, map?: ClusterMap): Promise<StoreContext> {
  const cluster = map !== undefined ? storeOf(config, map) : config.node === null ? undefined : openStoreAtRest(config);
  try {
    const module = RecoveryModule.forRoot(config, cluster?.parts);
    const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    return {
      get: app.get.bind(app),
      close: async () => {
        await app.close();
        cluster?.close();
      },
    };
  } catch (error) {
    cluster?.close();
    throw error;
  }
}

function storeOf(config: AppConfig, map: ClusterMap): StoreAtRest {
  const { storage_directory: directory } = config;
  const lock = lockStorage(config);
  return {
    parts: { file: ClusterFile.of(directory, map), source: new FolderNodeSource(config) },
    close: () => lock.release(),
  };
}

/** Says how far a rebuild is. */
export function progressOf({ node_count: count }: AppConfig): RebuildOptions['progress'] {
  const say = throttled();
  return ({ node, records }) => say(`node ${node} of ${count}: ${records} records read`);
}

/** Says what came of a rebuild. */
export function summarizeRebuild(result: RebuildResult): void {
  for (const { node, records, damaged, retired } of result.harvests)
    print(
      `node ${node}: ${records} records${damaged > 0 ? `, ${damaged} damaged` : ''}${retired > 0 ? `, ${retired} of retired keys` : ''}`,
    );
  for (const [node, reason] of result.missing) print(`node ${node}: not read (${reason})`);
  print(`the index is made anew: ${result.files} files, ${result.tombstones} deletions that some node may not know of yet`);
  if (result.kept !== undefined) print(`the index that was there before is kept in ${result.kept}`);
  for (const id of result.incomplete) print(`file ${id}: a part of its layout is on none of the nodes that were read`);
  if (result.incomplete.length > 0) process.exitCode = EXIT_PROBLEMS;
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
