import 'reflect-metadata';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { openStoreAtRest } from '../cluster/store-at-rest.js';
import type { AppConfig } from '../config/app-config.js';
import { RecoveryModule } from '../recovery/recovery.module.js';
import { RebuildService } from '../recovery/rebuild.service.js';
import { VerifyService, type VerifyResult } from '../recovery/verify.service.js';
import { throttled } from './throttled.js';

/** Exit code for a store in which something is not as it should be. */
const EXIT_PROBLEMS = 1;
/** Problems that are spelled out; the others are counted. */
const PROBLEMS_SHOWN = 1000;

/** `dcloud rebuild-index` */
export async function rebuildIndex(config: AppConfig): Promise<void> {
  const app = await openContext(config);
  const say = throttled();
  const result = await app
    .get(RebuildService)
    .run(({ node, records }) => say(`node ${node} of ${config.node_count}: ${records} records read`), ends());
  for (const { node, records, damaged, retired } of result.harvests)
    print(
      `node ${node}: ${records} records${damaged > 0 ? `, ${damaged} damaged` : ''}${retired > 0 ? `, ${retired} of retired keys` : ''}`,
    );
  for (const [node, reason] of result.missing) print(`node ${node}: not read (${reason})`);
  print(`the index is made anew: ${result.files} files, ${result.tombstones} deletions that some node may not know of yet`);
  if (result.kept !== undefined) print(`the index that was there before is kept in ${result.kept}`);
  for (const id of result.incomplete) print(`file ${id}: a part of its layout is on none of the nodes that were read`);
  if (result.incomplete.length > 0) process.exitCode = EXIT_PROBLEMS;
  await app.close();
}

/** `dcloud verify` */
export async function verifyStore(config: AppConfig, { json }: { readonly json?: boolean }): Promise<void> {
  const app = await openContext(config);
  const say = throttled();
  let shown = 0;
  const result = await app.get(VerifyService).run(
    {
      onProblem: (problem) => {
        if ((shown += 1) > PROBLEMS_SHOWN) return;
        const { kind, fileId, node, stripe, reason } = problem;
        const where = [node === undefined ? [] : `node ${node}`, stripe === undefined ? [] : `stripe ${stripe}`]
          .flat()
          .join(', ');
        print(json === true ? JSON.stringify(problem) : `${kind}: file ${fileId}${where === '' ? '' : `, ${where}`}: ${reason}`);
      },
      progress: (files) => say(`${files} files`),
    },
    ends(),
  );
  const missing = Object.fromEntries(result.missing);
  if (json === true) print(JSON.stringify({ ...result, missing }));
  else summarize(result);
  if (result.problems > 0 || result.missing.size > 0 || result.ahead.length > 0) process.exitCode = EXIT_PROBLEMS;
  await app.close();
}

function summarize({ files, shards, records, problems, lostFiles, orphans, missing, ahead }: VerifyResult): void {
  for (const [node, reason] of missing) print(`node ${node} was not read: ${reason}`);
  for (const node of ahead) print(`node ${node} knows of changes that the index does not: the index is an old copy`);
  print(`${files} files, ${shards} shards and ${records} records were read`);
  if (orphans > 0) print(`${orphans} shards and records belong to no file; a running server deletes them by itself`);
  print(problems === 0 ? 'all is as it should be' : `${problems} problems; ${lostFiles} files cannot be read whole`);
}

interface Context {
  readonly get: INestApplicationContext['get'];
  readonly close: () => Promise<void>;
}

/** With peers the process of the gateway is the one that does not run; the others serve their nodes. */
async function openContext(config: AppConfig): Promise<Context> {
  const cluster = config.node === null ? undefined : openStoreAtRest(config);
  const module = RecoveryModule.forRoot(config, cluster?.parts);
  const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  return {
    get: app.get.bind(app),
    close: async () => {
      await app.close();
      cluster?.close();
    },
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The command line is ended by its signals alone; nothing is left half done by them. */
function ends(): AbortSignal {
  return new AbortController().signal;
}
