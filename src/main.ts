import 'reflect-metadata';
import { createProgram } from './cli/program.js';

/** The command line, as `bin/dcloud.mjs` calls it. */
export async function main(argv: readonly string[]): Promise<void> {
  await createProgram().parseAsync(argv);
}
