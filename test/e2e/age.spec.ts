import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sealStreamWithAge } from '../../src/sdk/age-seal.js';
import { concat, utf8 } from '../../src/sdk/bytes.js';
import { archiveOf, type ExportItem } from '../../src/sdk/export-archive.js';
import { formatRecoveryCode, newRecoveryCode } from '../../src/sdk/recovery-code.js';
import { formatRecoveryKit, sealRecoveryKit } from '../../src/sdk/recovery-kit.js';

/** Of Debian's package `age`: a program that knows nothing of ours. */
const AGE = '/usr/bin/age';
/** Where everything is installed for the tests, there is no reason to skip one. */
const isNeeded = process.env['CI'] !== undefined;
const isInstalled = existsSync(AGE);
if (!isInstalled) process.stderr.write(`SKIPPED: what others open without us, for there is no ${AGE} (apt-get install -y age)\n`);

/** Runs a command on a terminal, on which a person types one line: `age` takes a passphrase from nowhere else. */
async function onTerminal(command: string, { cwd, typed }: { cwd: string; typed: string }): Promise<number | null> {
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await delay(300);
  child.stdin.write(`${typed}\n`);
  return ended;
}

(isInstalled || isNeeded ? describe : describe.skip)('what others open without us', () => {
  let cwd: string;
  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'dcloud-age-'));
  });
  afterAll(() => rm(cwd, { recursive: true }));

  const kit = {
    server: 'https://cloud.example',
    userName: 'alice',
    accountId: '01980000-0000-7000-8000-000000000001',
    recoveryCode: formatRecoveryCode(newRecoveryCode()),
    serverKey: 'c2VydmVy',
    ownNumber: '00000 11111 22222 33333 44444 55555',
    madeAt: new Date('2026-01-02T03:04:05Z'),
  };

  it('the recovery kit, with its passphrase and with no other', async () => {
    await writeFile(join(cwd, 'kit.age'), await sealRecoveryKit(kit, { passphrase: 'Ein langer Satz mit Ärger' }));
    const decrypt = (typed: string): Promise<number | null> =>
      onTerminal(`${AGE} --decrypt --output kit.txt kit.age`, { cwd, typed });
    expect(await decrypt('Ein langer Satz')).not.toBe(0);
    expect(existsSync(join(cwd, 'kit.txt'))).toBe(false);
    expect(await decrypt('Ein langer Satz mit Ärger')).toBe(0);
    expect(await readFile(join(cwd, 'kit.txt'), 'utf8')).toBe(formatRecoveryKit(kit));
  });

  it('an exported folder, by the key of `age-keygen`, and by `tar`', async () => {
    const large = new Uint8Array(3_000_000).map((_, at) => at % 251);
    async function* items(): AsyncGenerator<ExportItem> {
      const modifiedAt = new Date('2024-05-06T07:08:09Z');
      yield { path: 'Fotos', kind: 'folder', size: 0, modifiedAt };
      yield {
        path: 'Fotos/Größe.bin',
        kind: 'file',
        size: large.length,
        modifiedAt,
        body: async function* () {
          yield large;
        },
      };
      yield {
        path: 'Fotos/klein.txt',
        kind: 'file',
        size: 5,
        modifiedAt,
        body: async function* () {
          yield utf8('hallo');
        },
      };
    }
    expect(await onTerminal('age-keygen --output key.txt', { cwd, typed: '' })).toBe(0);
    const publicKey = /age1\w+/u.exec(await readFile(join(cwd, 'key.txt'), 'utf8'))?.[0] ?? '';
    const sealed = await Array.fromAsync(sealStreamWithAge(archiveOf(items()), { publicKeys: [publicKey] }));
    await writeFile(join(cwd, 'fotos.tar.age'), concat(...sealed));
    const open = `${AGE} --decrypt --identity key.txt fotos.tar.age | tar -x`;
    expect(await onTerminal(open, { cwd, typed: '' })).toBe(0);
    expect((await readFile(join(cwd, 'Fotos/Größe.bin'))).equals(large)).toBe(true);
    expect(await readFile(join(cwd, 'Fotos/klein.txt'), 'utf8')).toBe('hallo');
  });
});
