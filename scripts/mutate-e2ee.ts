import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLIENT_DEFENCES } from './e2ee-defences/client-defences.ts';
import { CLIENT_SHARING_DEFENCES } from './e2ee-defences/client-sharing-defences.ts';
import { CONTENT_DEFENCES } from './e2ee-defences/content-defences.ts';
import { ACCOUNT_DEFENCES, IDENTITY_DEFENCES, KEY_DEFENCES, LOGIN_DEFENCES } from './e2ee-defences/key-defences.ts';
import type { Edit, Mutation } from './e2ee-defences/mutation.ts';
import { SHARING_DEFENCES } from './e2ee-defences/sharing-defences.ts';
import { TREE_DEFENCES } from './e2ee-defences/tree-defences.ts';

/**
 * Takes each defence of the client and its formats out of a copy of the program and runs the one test that must then turn red. Fails if one
 * stays green, if a defence is not where the table says, and if a test is red with its defence in. Arguments choose by name.
 */
const ROOT = fileURLToPath(new URL('../', import.meta.url));
const COPIED = ['src', 'test', 'package.json', 'jest.config.mjs', 'tsconfig.json'];
const MUTATIONS = [
  KEY_DEFENCES,
  LOGIN_DEFENCES,
  ACCOUNT_DEFENCES,
  IDENTITY_DEFENCES,
  CONTENT_DEFENCES,
  TREE_DEFENCES,
  SHARING_DEFENCES,
  CLIENT_DEFENCES,
  CLIENT_SHARING_DEFENCES,
].flat();
const JEST_MS_MAX = 120_000;

interface Verdict {
  readonly failed: number;
  readonly passed: number;
}

async function makeCopy(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'mutate-e2ee-'));
  for (const path of COPIED) await cp(join(ROOT, path), join(copy, path), { recursive: true });
  // The server that tests start is the built one, with its defences in: it is the client that is tried.
  for (const path of ['node_modules', 'bin']) await symlink(join(ROOT, path), join(copy, path));
  return copy;
}

async function runTest(copy: string, { spec, test }: Pick<Mutation, 'spec' | 'test'>): Promise<Verdict> {
  const report = join(copy, 'report.json');
  const jest = join(copy, 'node_modules/jest/bin/jest.js');
  const project = spec.startsWith('src/') ? 'unit' : 'attacks';
  const args = [jest, '--selectProjects', project, '--json', '--outputFile', report, '-t', test, spec];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: 'ignore', timeout: JEST_MS_MAX });
  await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  const { numFailedTests, numPassedTests, numRuntimeErrorTestSuites } = JSON.parse(await readFile(report, 'utf8')) as Record<
    string,
    number
  >;
  await rm(report);
  if (numRuntimeErrorTestSuites !== 0) throw new Error(`${spec} does not run at all`);
  return { failed: numFailedTests ?? 0, passed: numPassedTests ?? 0 };
}

/** Puts the edits into the copy and gives back what takes them out again. */
async function mutate(copy: string, edits: readonly Edit[]): Promise<() => Promise<void>> {
  const originals = new Map<string, string>();
  for (const { file, defence, without } of edits) {
    const text = await readFile(join(copy, file), 'utf8');
    if (text.split(defence).length !== 2) throw new Error(`${file} does not hold exactly once: ${defence.trim()}`);
    if (!originals.has(file)) originals.set(file, text);
    await writeFile(
      join(copy, file),
      text.replace(defence, () => without),
    );
  }
  return async () => {
    for (const [file, text] of originals) await writeFile(join(copy, file), text);
  };
}

async function isRedWithout(copy: string, mutation: Mutation): Promise<boolean> {
  const restore = await mutate(copy, mutation.edits);
  try {
    return (await runTest(copy, mutation)).failed > 0;
  } finally {
    await restore();
  }
}

/** A test that is red anyway, or that no name matches, would pass for one that turns red. */
async function assertGreen(copy: string, mutations: readonly Mutation[]): Promise<void> {
  const seen = new Set<string>();
  for (const mutation of mutations) {
    const key = `${mutation.spec} ${mutation.test}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const { failed, passed } = await runTest(copy, mutation);
    if (failed > 0 || passed === 0) throw new Error(`with all defences: ${failed} failed, ${passed} passed of ${key}`);
  }
}

async function main(wanted: readonly string[]): Promise<void> {
  const mutations = MUTATIONS.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  const copy = await makeCopy();
  let red = 0;
  try {
    await assertGreen(copy, mutations);
    for (const mutation of mutations) {
      const isRed = await isRedWithout(copy, mutation);
      if (isRed) red += 1;
      console.log(`${isRed ? 'red  ' : 'GREEN'} ${mutation.name}`);
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
  console.log(`${mutations.length} defences, ${red} red`);
  if (red < mutations.length || red === 0) process.exitCode = 1;
}

await main(process.argv.slice(2));
