import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import type { loadConfig as LoadConfig } from '../src/config/load-config.js';
import type { describeApi as DescribeApi } from '../src/create-app.js';
import { createCollection } from './postman/collection.ts';

/**
 * Writes the files of this repository that are made from the code: the API document and the Postman collection.
 * With `--check` it writes nothing and fails if one of them is not what it would write. Needs `npm run build` before.
 */
const ROOT = new URL('../', import.meta.url);

interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

async function generate(): Promise<readonly GeneratedFile[]> {
  // The code is imported as it was built: the descriptions are made by a plugin of the build.
  const { describeApi } = (await import(new URL('dist/create-app.js', ROOT).href)) as { describeApi: typeof DescribeApi };
  const { loadConfig } = (await import(new URL('dist/config/load-config.js', ROOT).href)) as { loadConfig: typeof LoadConfig };
  const defaultsFile = fileURLToPath(new URL('config/default.json', ROOT));
  const config = loadConfig({ defaultsFile, file: undefined, environment: {}, flags: {}, node: undefined });
  // No aliases and no line breaks of its own: the file is read by people, and compared.
  const document = stringify(await describeApi(config), { aliasDuplicateObjects: false, lineWidth: 0 });
  const collection = `${JSON.stringify(await createCollection(document), null, 2)}\n`;
  return [
    { path: 'openapi.yaml', text: document },
    { path: 'postman/DistributedCloud.postman_collection.json', text: collection },
  ];
}

async function check({ path, text }: GeneratedFile): Promise<boolean> {
  const found = await readFile(new URL(path, ROOT), 'utf8').catch(() => undefined);
  if (found === text) return true;
  const lines = { found: found?.split('\n') ?? [], made: text.split('\n') };
  const line = lines.made.findIndex((made, index) => made !== lines.found[index]);
  const where =
    found === undefined ? 'is missing' : `differs from what the code says at line ${(line < 0 ? lines.made.length : line) + 1}`;
  console.error(`${path} ${where}: run "npm run generate" and commit the result.`);
  return false;
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
for (const file of await generate()) {
  if (!values.check) await writeFile(new URL(file.path, ROOT), file.text);
  else if (!(await check(file))) process.exitCode = 1;
}
