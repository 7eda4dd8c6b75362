import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { someBytes } from '../support/bytes.js';
import { BIN, type DriveCli, ProxiedCli } from '../support/drive-cli.js';
import type { GateProxy } from '../support/gate-proxy.js';
import { hasTerminals, TestTerminal } from '../support/terminal.js';

const PUT_PART = /^PUT \/drive\/uploads\/[^/]+\/parts\//u;
/** Runs the command between two looks at how the terminal is set. */
const WATCHED =
  'trap : INT; before=$(stty -g); "$@"; code=$?; [ "$before" = "$(stty -g)" ] && echo "terminal as before, code $code"';
const itOnTerminal = hasTerminals() ? it : it.skip;

let world: ProxiedCli;
let proxy: GateProxy;
let cli: DriveCli;

beforeAll(async () => {
  world = await ProxiedCli.start();
  ({ proxy, cli } = world);
});

afterAll(async () => {
  await world.remove();
});

function dcloud(...args: string[]): TestTerminal {
  return new TestTerminal(WATCHED, [process.execPath, BIN, ...args], { env: cli.environment, cwd: cli.home });
}

describe('a terminal', () => {
  itOnTerminal('shows what is typed to other programs, so that the next tests can fail', async () => {
    const terminal = new TestTerminal('printf "Name: "; read name', [], { env: cli.environment, cwd: cli.home });
    await terminal.until(/Name: /u);
    terminal.type('visible\n');
    await terminal.ended();
    expect(terminal.text).toContain('visible');
  });

  itOnTerminal('does not show passwords, and new ones are asked for twice', async () => {
    const terminal = dcloud('register', 'typist', '--server', proxy.origin, '--profile', 'typist');
    await terminal.until(/Invitation .*: /u);
    terminal.type('\r');
    await terminal.until(/New password: /u);
    terminal.type('typed secret\r');
    await terminal.until(/New password, again: /u);
    terminal.type('typed secret\r');
    await terminal.until(/terminal as before, code 0/u);
    await terminal.ended();
    expect(terminal.text).not.toContain('secret');
    expect(terminal.screen.join('\n')).toMatch(/(?:[0-9A-Z]{4}-){8}./u);
    const login = dcloud('login', '--profile', 'typist');
    await login.until(/Password: /u);
    login.type('typed secrex\u007ft\r');
    await login.until(/terminal as before, code 0/u);
    expect(login.text).not.toContain('secre');
  });

  itOnTerminal('is asked again by nobody if the two are not the same', async () => {
    const terminal = dcloud('register', 'other', '--server', proxy.origin, '--profile', 'other');
    await terminal.until(/Invitation .*: /u);
    terminal.type('\r');
    await terminal.until(/New password: /u);
    terminal.type('one\r');
    await terminal.until(/New password, again: /u);
    terminal.type('another\r');
    await terminal.until(/dcloud: the two are not the same\.\s+terminal as before, code 2/u);
  });

  itOnTerminal.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('is as it was after %s at a question', async (_key, typed) => {
    const terminal = dcloud('login', 'ada', '--server', proxy.origin, '--profile', 'ada');
    await terminal.until(/Password: /u);
    terminal.type(`half a secret${typed === '\u0004' ? '\u0015' : ''}${typed}`);
    await terminal.until(/dcloud: interrupted\.\s+terminal as before, code 130/u);
    await terminal.ended();
    expect(terminal.text).not.toContain('secret');
  });

  itOnTerminal('has a bar with a rate and the time that is left, and nothing of it at the end', async () => {
    await writeFile(join(cli.home, 'large.bin'), someBytes(52 * 1_048_576));
    const held = proxy.hold(PUT_PART);
    const terminal = dcloud('put', 'large.bin', '/large.bin', '--profile', 'ada');
    await held;
    await sleep(150); // no bar is shown in the first moment, so that one must have passed
    proxy.release();
    await terminal.until(/\[#+-+\] +\d+ % {2}\d+ MB of 55 MB {2}[\d.]+ [kM]?B\/s {2}\d+:\d\d left/u);
    await terminal.until(/terminal as before, code 0/u);
    await terminal.ended();
    expect(terminal.screen).toEqual(['1 file stored (55 MB)', 'terminal as before, code 0']);
  });

  itOnTerminal('after Ctrl-C has no bar but the sentence', async () => {
    const held = proxy.hold(PUT_PART, 1);
    const terminal = dcloud('put', 'large.bin', '/interrupted.bin', '--profile', 'ada');
    await held;
    terminal.type('\u0003');
    await terminal.until(/terminal as before, code 130/u);
    await terminal.ended();
    proxy.release();
    expect(terminal.text).not.toContain('100 %');
    expect(terminal.screen.map((line) => line.replace('^C', ''))).toEqual([
      'dcloud: interrupted.',
      'dcloud: what was stored so far stays; the same command again goes on with the rest',
      'terminal as before, code 130',
    ]);
  });

  itOnTerminal('is not moved by a name, and pipes have names as they are', async () => {
    const name = 'gpj.\u202eexe\u200b';
    expect(await cli.run(['put', '-', `/signs/${name}`, '-p', '--profile', 'ada'], { input: 'x' })).toMatchObject({ code: 3 });
    await cli.as('ada')('mkdir', '/signs');
    expect(await cli.run(['put', '-', `/signs/${name}`, '--profile', 'ada'], { input: 'x' })).toMatchObject({ code: 0 });
    const terminal = dcloud('ls', '/signs', '--profile', 'ada');
    await terminal.until(/code 0/u);
    expect(terminal.screen[0]).toBe('gpj.\\u{202e}exe\\u{200b}');
    expect((await cli.as('ada')('ls', '/signs')).stdout).toBe(`${name}\n`);
    await writeFile(join(cli.home, 'a\u001b]0;title\u0007'), 'x');
    const refused = dcloud('put', 'a\u001b]0;title\u0007', '/signs/', '--profile', 'ada');
    await refused.until(/code 2/u);
    expect(refused.screen[0]).toBe('dcloud: a\\u{1b}]0;title\\u{7}: This name cannot be used.');
  });
});

describe('completion', () => {
  /** The words that bash offers for the last one. */
  function offered(...words: string[]): readonly string[] {
    const script = `shopt -s expand_aliases; source <("$NODE" "$BIN" completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dcloud; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const env = { ...cli.environment, NODE: process.execPath, BIN };
    const shell = spawnSync('bash', ['--norc', '--noprofile', '-c', script, 'bash', 'dcloud', ...words], {
      env,
      timeout: 30_000,
    });
    expect(shell.stderr.toString()).toBe('');
    return shell.stdout
      .toString()
      .split('\n')
      .filter((word) => word !== '');
  }

  it('by bash offers commands, those below them, and options', () => {
    expect(offered('sha')).toEqual(['share', 'shared']);
    expect(offered('kit', '').toSorted()).toEqual(['export', 'show']);
    expect(offered('kit', '--quiet', 'sh')).toEqual(['show']);
    expect(offered('put', '-')).toEqual(
      expect.arrayContaining(['--recursive', '-r', '--replace', '--update', '--profile', '--help']),
    );
    expect(offered('put', '--rep')).toEqual(['--replace']);
    expect(offered('put', 'some')).toEqual([]); // a file: bash itself knows those
    expect(offered('nonsense', '')).toEqual([]);
  });

  it.each(['zsh', 'fish'])('by %s is a script that it understands', (shell) => {
    const isThere = spawnSync(shell, ['-c', 'true']).status === 0;
    if (!isThere) {
      process.stderr.write(`skipped: this machine has no ${shell}\n`);
      return;
    }
    const script = spawnSync(process.execPath, [BIN, 'completion', shell], { env: cli.environment }).stdout;
    const checked = spawnSync(shell, ['-n'], { input: script });
    expect([checked.status, checked.stderr.toString()]).toEqual([0, '']);
  });
});
