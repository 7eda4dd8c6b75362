import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Block, blocksUnder, missingPrograms, runShell } from '../support/doc-blocks.js';
import { TestServer } from '../support/server.js';

/** The languages of docs/clients.md, and what the commands there need beside Node.js. */
const LANGUAGES: readonly { readonly language: string; readonly programs: readonly string[] }[] = [
  { language: 'TypeScript', programs: [] },
  { language: 'Python', programs: ['java', 'mvn', 'python3'] },
  { language: 'Go', programs: ['java', 'mvn', 'go'] },
];

/** The first run fetches the generator and builds Go's standard library. */
const COLD_MS_MAX = 300_000;
const BYTES = 2_000_003;

let server: TestServer;
let folder: string;

beforeAll(async () => {
  server = await TestServer.start();
  folder = await mkdtemp(join(tmpdir(), 'dcloud-clients-'));
});

afterAll(async () => {
  await server.remove();
  await rm(folder, { recursive: true });
});

/** Does with a block what a reader would: saves it, or runs it unless what it makes from the network is there. */
async function follow({ attributes, language, text }: Block, environment: Readonly<Record<string, string>>): Promise<string> {
  const { file, creates, fetched } = attributes;
  if (file !== undefined) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    return '';
  }
  expect(language).toBe('sh');
  if (fetched !== undefined && existsSync(fetched)) return '';
  if (creates !== undefined) await rm(creates, { recursive: true, force: true });
  return runShell(text, environment);
}

describe('docs/clients.md', () => {
  for (const { language, programs } of LANGUAGES) {
    const missing = missingPrograms(programs);
    if (missing.length > 0)
      process.stderr.write(`SKIPPED: the ${language} client, for this machine has no ${missing.join(', ')}\n`);
    (missing.length > 0 ? it.skip : it)(
      `makes a ${language} client that uploads a file and downloads the same bytes`,
      async () => {
        const source = join(folder, `${language}.bin`);
        const bytes = randomBytes(BYTES);
        await writeFile(source, bytes);
        const environment = { SERVER: server.url, FILE: source, COPY: `${source}.copy` };
        let output = '';
        for (const block of blocksUnder(await readFile('docs/clients.md', 'utf8'), language))
          output += await follow(block, environment);

        expect(digest(await readFile(environment.COPY))).toBe(digest(bytes));
        expect(output).toContain(`stored from-${language.toLowerCase()}: ${BYTES} bytes`);
        expect(output).toContain('then: file-not-found');
      },
      COLD_MS_MAX,
    );
  }
});

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
