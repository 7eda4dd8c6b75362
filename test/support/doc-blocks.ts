import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** A piece of a page of the documentation between ``` and ```. */
export interface Block {
  readonly language: string;
  /**
   * What stands behind the language: `file=…` is where the block belongs, `creates=…` what running it makes anew,
   * `fetched=…` what is there when it has run once and need not run again.
   */
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
}

/** The blocks under a heading of the second level. */
export function blocksUnder(page: string, heading: string): readonly Block[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`the page has no heading "${heading}"`);
  return [...section.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)].map(([, language = '', attributes = '', body = '']) => ({
    language,
    attributes: Object.fromEntries(
      attributes
        .trim()
        .split(' ')
        .map((pair) => pair.split('=') as [string, string]),
    ),
    text: body,
  }));
}

/** Runs a block of commands as a user would; gives what it prints, and fails with that if a command fails. */
export async function runShell(commands: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn('sh', ['-euc', commands], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  if (child.exitCode !== 0) throw new Error(`failed with ${String(child.exitCode)}: ${commands}\n${output}\n${errors}`);
  return output;
}

/** Those of the programs that this machine does not have. */
export function missingPrograms(programs: readonly string[]): readonly string[] {
  return programs.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
}
