import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SecretInput } from './secret-input.js';

const SIGNAL = new AbortController().signal;

function typing(isTTY: boolean, file?: string): { secrets: SecretInput; stdin: PassThrough; asked: string[] } {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const asked: string[] = [];
  return { secrets: new SecretInput(file, { stdin, stderr: { write: (text) => asked.push(text) } }), stdin, asked };
}

describe('without a terminal', () => {
  it('each question gets a line of standard input, in their order, and a new password is asked for once', async () => {
    const { secrets, stdin, asked } = typing(false);
    stdin.end('old\r\nnew ä \n\nlast');
    expect(await secrets.ask('Old', SIGNAL)).toBe('old');
    expect(await secrets.askNew('New', SIGNAL)).toBe('new ä ');
    expect(await secrets.askOptional('None', SIGNAL)).toBe('');
    expect(await secrets.ask('Last', SIGNAL)).toBe('last');
    await expect(secrets.ask('More', SIGNAL)).rejects.toMatchObject({ exit: 'usage', message: 'nothing was given for: More' });
    expect(asked).toEqual([]);
  });

  it('an empty line is no password', async () => {
    const { secrets, stdin } = typing(false);
    stdin.end('\n');
    await expect(secrets.ask('Password', SIGNAL)).rejects.toMatchObject({ exit: 'usage' });
  });

  it('what is far too long is refused before it is all in memory', async () => {
    const { secrets, stdin } = typing(false);
    stdin.write(Buffer.alloc(65_537, 'x'));
    await expect(secrets.ask('Password', SIGNAL)).rejects.toMatchObject({ exit: 'usage' });
  });
});

describe('a file of passwords', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dcloud-secrets-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it('is read instead of what is typed, and - is standard input', async () => {
    const file = join(folder, 'passwords');
    await writeFile(file, 'from the file\n');
    expect(await typing(true, file).secrets.ask('Password', SIGNAL)).toBe('from the file');
    const { secrets, stdin } = typing(true, '-');
    stdin.end('from a pipe\n');
    expect(await secrets.ask('Password', SIGNAL)).toBe('from a pipe');
    await expect(typing(true, join(folder, 'none')).secrets.ask('Password', SIGNAL)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('at a terminal', () => {
  it('what is typed is not written anywhere, and a new password must be typed twice', async () => {
    const { secrets, stdin, asked } = typing(true);
    const first = secrets.ask('Password', SIGNAL);
    stdin.write('secreX\u007ft\r');
    expect(await first).toBe('secret');
    for (const [again, outcome] of [
      ['new', 'new'],
      ['other', 'the two are not the same'],
    ]) {
      const answer = secrets.askNew('New password', SIGNAL).catch((error: unknown) => (error as Error).message);
      stdin.write('new\r');
      while (asked.at(-1) !== 'New password, again: ') await new Promise(setImmediate);
      stdin.write(`${again}\r`);
      expect(await answer).toBe(outcome);
    }
    const questions = ['New password: ', '\n', 'New password, again: ', '\n'];
    expect(asked).toEqual(['Password: ', '\n', ...questions, ...questions]);
  });

  it.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('%s ends the question', async (_key, typed) => {
    const { secrets, stdin } = typing(true);
    const answer = secrets.ask('Password', SIGNAL);
    stdin.write(typed);
    await expect(answer).rejects.toMatchObject({ exit: 'interrupted' });
  });

  it('a signal ends the question, too', async () => {
    const ending = new AbortController();
    const answer = typing(true).secrets.ask('Password', ending.signal);
    ending.abort();
    await expect(answer).rejects.toMatchObject({ exit: 'interrupted' });
  });
});
