import { type Command } from 'commander';
import { exitCode } from './exit-codes.js';

/** A command that works with a drive: with the options that all have, and their exit code for a command line that cannot be understood. */
export function driveCommand(parent: Command, words: string, description: string): Command {
  const command = parent.command(words).description(description);
  command
    .option('--profile <name>', 'which account of this machine (else DCLOUD_PROFILE, else "default")')
    .option('--json', 'results as JSON, one object a line, and errors too')
    .option('--quiet', 'say nothing but results and errors');
  return usageErrors(command);
}

/** As {@link driveCommand}, for one that asks for passwords. */
export function secretCommand(parent: Command, words: string, description: string): Command {
  return driveCommand(parent, words, description).option(
    '--password-file <file>',
    'what would be asked for, a line for each question in its order; - is standard input',
  );
}

/** A word with commands below it. */
export function groupCommand(parent: Command, word: string, description: string): Command {
  return usageErrors(parent.command(word).description(description));
}

function usageErrors(command: Command): Command {
  return command
    .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCode('ok') : exitCode('usage')))
    .configureOutput({ outputError: (text, write) => write(process.argv.includes('--json') ? asJson(text) : `dcloud: ${text}`) });
}

function asJson(text: string): string {
  const message = text.trim().replace(/^error: /u, '');
  return `${JSON.stringify({ error: { kind: 'usage', exitCode: exitCode('usage'), message } })}\n`;
}
