import { isDeepStrictEqual } from 'node:util';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, type FileJson } from '../client.ts';
import { runCli } from '../run-cli.ts';
import type { Findings } from './violation.ts';

const COMMAND_MS_MAX = 120_000;

export type Records = ReadonlyMap<string, FileJson>;

export async function recordsOf({ url }: { readonly url: string }): Promise<Records> {
  return new Map((await new Client(url).listAll()).map((record) => [record.id, record]));
}

/** Whatever made the second list, it must be the first. */
export function reportChanges(before: Records, after: Records, findings: Findings): void {
  for (const [id, record] of before) {
    const now = after.get(id);
    if (now === undefined) findings.report('lost', `${id} (${record.name}) is not in the list any more`);
    else if (!isDeepStrictEqual(record, now))
      findings.report('changed-record', `${JSON.stringify(record)} became ${JSON.stringify(now)}`);
  }
  for (const [id, { name }] of after)
    if (!before.has(id)) findings.report('resurrected', `${id} (${name}) was not in the list before`);
}

/** `dcloud verify` on a stopped server: all that it finds is a violation. */
export async function verify(configFile: string, findings: Findings): Promise<void> {
  const { code, stdout, stderr } = await runCli(['verify', '--config', configFile], { msMax: COMMAND_MS_MAX });
  if (code !== 0)
    findings.report('failed-process', `dcloud verify: ${String(code)}\n${stdout.slice(-2000)}${stderr.slice(-2000)}`);
}

/** Loses the index of a stopped server and has it made from the nodes. */
export async function rebuildIndex(
  { configFile, storage }: { readonly configFile: string; readonly storage: string },
  findings: Findings,
): Promise<void> {
  await rm(join(storage, 'index'), { recursive: true });
  const { code, stdout, stderr } = await runCli(['rebuild-index', '--config', configFile], { msMax: COMMAND_MS_MAX });
  findings.note('rebuilt', { code, stdout, stderr });
  if (code !== 0)
    findings.report('failed-process', `dcloud rebuild-index: ${String(code)}\n${stdout.slice(-2000)}${stderr.slice(-2000)}`);
}
