import type { AppConfig } from '../config/app-config.js';
import { RebuildService } from '../recovery/rebuild.service.js';
import { VerifyService, type VerifyResult } from '../recovery/verify.service.js';
import { ends } from './ends.js';
import { EXIT_PROBLEMS, openContext, print, progressOf, summarizeRebuild, type StoreContext } from './store-context.js';
import { throttled } from './throttled.js';

/** Problems that are spelled out; the others are counted. */
const PROBLEMS_SHOWN = 1000;

/** `dcloud rebuild-index` */
export async function rebuildIndex(config: AppConfig): Promise<void> {
  const app = await openContext(config);
  try {
    summarizeRebuild(await app.get(RebuildService).run({ progress: progressOf(config) }, ends()));
  } finally {
    await app.close();
  }
}

/** `dcloud verify` */
export async function verifyStore(config: AppConfig, { json }: { readonly json?: boolean }): Promise<void> {
  const app = await openContext(config);
  try {
    await verifyIn(app, json === true);
  } finally {
    await app.close();
  }
}

async function verifyIn(app: StoreContext, isJson: boolean): Promise<void> {
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
        print(isJson ? JSON.stringify(problem) : `${kind}: file ${fileId}${where === '' ? '' : `, ${where}`}: ${reason}`);
      },
      progress: (files) => say(`${files} files`),
    },
    ends(),
  );
  ends().throwIfAborted(); // calls that were ended are no findings
  const missing = Object.fromEntries(result.missing);
  if (isJson) print(JSON.stringify({ ...result, missing }));
  else summarize(result);
  if (result.problems > 0 || result.missing.size > 0 || result.ahead.length > 0) process.exitCode = EXIT_PROBLEMS;
}

function summarize({ files, shards, records, problems, lostFiles, orphans, missing, ahead }: VerifyResult): void {
  for (const [node, reason] of missing) print(`node ${node} was not read: ${reason}`);
  for (const node of ahead) print(`node ${node} knows of changes that the index does not: the index is an old copy`);
  print(`${files} files, ${shards} shards and ${records} records were read`);
  if (orphans > 0) print(`${orphans} shards and records belong to no file; a running server deletes them by itself`);
  print(problems === 0 ? 'all is as it should be' : `${problems} problems; ${lostFiles} files cannot be read whole`);
}
