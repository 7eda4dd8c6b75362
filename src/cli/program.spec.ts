import 'reflect-metadata';
import { expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { createProgram } from './program.js';

/** What a command line says on standard error, and on standard output, where it fails before it does anything. */
async function saidBy(...args: string[]): Promise<{ readonly errors: string; readonly help: string }> {
  const said = { errors: '', help: '' };
  const listenTo = (command: Command): void => {
    command.exitOverride().configureOutput({
      outputError: (text) => void (said.errors += text),
      writeOut: (text) => void (said.help += text),
    });
    command.commands.forEach(listenTo);
  };
  const program = createProgram();
  listenTo(program);
  await program.parseAsync(args, { from: 'user' }).catch((error: unknown) => {
    expect(error).toMatchObject({ exitCode: 1 });
  });
  return said;
}

it.each([
  [['token', 'create', '--expires', '0d'], 'It must be like 90m, 12h or 30d.'],
  [['account', 'quota', 'ada'], 'it takes --bytes, --files or both'],
  [['nope'], "unknown command 'nope'"],
  [['help', 'nope'], "unknown command 'nope'"],
  [['help', 'token', 'nope'], "unknown command 'nope'"],
  [['help', 'ls', 'nope'], "unknown command 'nope'"],
] as const)('%j is refused before anything is done', async (args, sentence) => {
  expect(await saidBy(...args)).toEqual({ errors: expect.stringContaining(sentence), help: '' });
});

it.each([
  [['help'], 'Usage: dcloud [options]'],
  [['help', 'ls'], 'Usage: dcloud ls '],
  [['help', 'token', 'create'], 'Usage: dcloud token create '],
] as const)('%j is help', async (args, usage) => {
  expect(await saidBy(...args)).toEqual({ errors: '', help: expect.stringContaining(usage) });
});
