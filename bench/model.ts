/**
 * `npm run bench:model`: prints the tables of docs/scale.md, computed by `model/formulas.ts` from what was measured (`model/inputs.ts`) and from
 * what the built program says of itself. Options:
 *
 * - `--write`: puts the tables into docs/scale.md
 * - `--measure`: measures the inputs on this machine instead and prints them, by name, for `model/inputs.ts`; takes some minutes
 * - `--files N` (50000): in each index, with `--measure`; `--only index,gateway,repair,rebuild`
 * - `--directory DIR` (the system's temporary one)
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { PostgresServer } from '../test/support/postgres.ts';
import { measureGateway, measureIndexes, measureRebuild, measureSmallRepair } from './model/measure.ts';
import { withTables } from './model/page.ts';
import { builtProgram } from './model/program.ts';
import { tablesOf } from './model/tables.ts';

const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    measure: { type: 'boolean', default: false },
    files: { type: 'string', default: '50000' },
    only: { type: 'string', default: 'index,gateway,repair,rebuild' },
    directory: { type: 'string', default: tmpdir() },
  },
});

async function measure(): Promise<void> {
  const database = await PostgresServer.start({ isDurable: true });
  const place = { directory: values.directory, database, files: Number(values.files) };
  const measures = {
    gateway: () => measureGateway(values.directory),
    repair: () => measureSmallRepair(values.directory),
    rebuild: () => measureRebuild(place),
    index: () => measureIndexes(place),
  };
  const asked = values.only.split(',');
  try {
    for (const [name, run] of Object.entries(measures)) {
      if (!asked.includes(name)) continue;
      for (const [input, value] of Object.entries(await run())) console.log(`${input}: ${Number(value.toPrecision(3))}`);
      console.log(`(load ${loadavg()[0]?.toFixed(1)})`);
    }
  } finally {
    await database.dispose();
  }
}

async function print(): Promise<void> {
  const tables = tablesOf(await builtProgram());
  for (const [name, table] of tables) console.log(`${name}\n\n${table}\n`);
  if (!values.write) return;
  const page = new URL('../docs/scale.md', import.meta.url);
  writeFileSync(page, withTables(readFileSync(page, 'utf8'), tables));
}

await (values.measure ? measure() : print());
