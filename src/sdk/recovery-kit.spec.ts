import { describe, expect, it } from '@jest/globals';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { failureOf, newPerson } from '../../test/support/e2ee-world.js';
import { openWithAge, sealStreamWithAge, sealWithAge } from './age-seal.js';
import { concat, fromUtf8, utf8 } from './bytes.js';
import { formatRecoveryCode, newRecoveryCode } from './recovery-code.js';
import { formatRecoveryKit, openRecoveryKit, parseRecoveryKit, sealRecoveryKit, type RecoveryKit } from './recovery-kit.js';
import { halfNumber, safetyNumber } from './safety-number.js';

async function newKit(): Promise<RecoveryKit> {
  const { bundle } = await newPerson('alice');
  return {
    server: 'https://cloud.example',
    userName: 'alice',
    accountId: bundle.accountId,
    recoveryCode: formatRecoveryCode(newRecoveryCode()),
    serverKey: 'c2VydmVy',
    ownNumber: await halfNumber(bundle),
    madeAt: new Date('2026-01-02T03:04:05.678Z'),
  };
}

describe('the recovery kit', () => {
  it('says everything in words, and once more for programs', async () => {
    const kit = await newKit();
    const text = formatRecoveryKit(kit);
    for (const told of [kit.server, kit.userName, kit.accountId, kit.recoveryCode, kit.serverKey, kit.ownNumber])
      expect(text.split('-----BEGIN')[0]).toContain(told);
    expect(parseRecoveryKit(text)).toEqual(kit);
    expect(parseRecoveryKit(text.replaceAll('\n', '\r\n'))).toEqual(kit);
  });

  it('opens with its passphrase, however the letters were composed, and with no other', async () => {
    const kit = await newKit();
    const sealed = await sealRecoveryKit(kit, { passphrase: 'Ångström und Grüße' });
    expect(fromUtf8(sealed.subarray(0, 21))).toBe('age-encryption.org/v1');
    expect(await openRecoveryKit(sealed, { passphrase: 'A\u030angstro\u0308m und Gru\u0308ße' })).toEqual(kit);
    expect(await failureOf(openRecoveryKit(sealed, { passphrase: 'angstrom' }))).toBe('wrong-key');
    const last = sealed.length - 1;
    sealed[last] = (sealed[last] as number) ^ 1;
    expect(await failureOf(openRecoveryKit(sealed, { passphrase: 'Ångström und Grüße' }))).toBe('damaged');
  });

  it('is refused if it was mistyped, cut or is of a later format', async () => {
    const kit = await newKit();
    const text = formatRecoveryKit(kit);
    expect(await failureOf(() => parseRecoveryKit('hello'))).toBe('damaged');
    expect(await failureOf(() => parseRecoveryKit(text.slice(0, -40)))).toBe('damaged');
    expect(await failureOf(() => parseRecoveryKit(text.replace('kit/1', 'kit/2')))).toBe('unsupported-format');
    expect(await failureOf(() => parseRecoveryKit(text.replace('"server"', '"serfer"')))).toBe('damaged');
    const code = kit.recoveryCode;
    const mistyped = code.replace(code.charAt(0), code.startsWith('7') ? '8' : '7');
    expect(await failureOf(() => parseRecoveryKit(text.replaceAll(code, mistyped)))).toBe('invalid-recovery-code');
  });

  it('has the half of each safety number that is the account’s own', async () => {
    const [alice, bob] = [await newPerson('alice'), await newPerson('bob')];
    const whole = await safetyNumber(alice.bundle, bob.bundle);
    expect(whole).toContain(await halfNumber(alice.bundle));
    expect(whole).toContain(await halfNumber(bob.bundle));
  });
});

describe('the age format', () => {
  const PUBLIC = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';

  it('takes public keys, and nothing that is none', async () => {
    expect((await sealWithAge(utf8('x'), { publicKeys: [PUBLIC] })).length).toBeGreaterThan(100);
    for (const publicKeys of [[], ['age1nothing'], ['AGE-SECRET-KEY-1QQ'], [PUBLIC, '']])
      expect(await failureOf(sealWithAge(utf8('x'), { publicKeys }))).toBe('invalid-recipient');
    expect(await failureOf(sealWithAge(utf8('x'), { passphrase: '' }))).toBe('invalid-recipient');
    expect(await failureOf(openWithAge(utf8('x'), { privateKey: PUBLIC }))).toBe('invalid-recipient');
  });

  it('seals a stream of any pieces, and stops its source with its reader', async () => {
    let isStopped = false;
    async function* source(count: number): AsyncGenerator<Uint8Array> {
      try {
        for (let at = 0; at < count; at += 1) yield new Uint8Array(50_000).fill(at);
      } finally {
        isStopped = true;
      }
    }
    const sealed: Uint8Array[] = [];
    const privateKey = await generateX25519Identity();
    const publicKeys = [await identityToRecipient(privateKey)];
    for await (const bytes of sealStreamWithAge(source(9), { publicKeys })) sealed.push(bytes);
    const plain = await openWithAge(concat(...sealed), { privateKey });
    expect(plain).toEqual(concat(...Array.from({ length: 9 }, (_, at) => new Uint8Array(50_000).fill(at))));
    isStopped = false;
    const endless = sealStreamWithAge(source(1_000_000), { publicKeys: [PUBLIC] });
    await endless.next();
    await endless.return();
    expect(isStopped).toBe(true);
  });

  it('a source that fails fails the stream', async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      throw new RangeError('the disk is gone');
    }
    await expect(Array.fromAsync(sealStreamWithAge(source(), { publicKeys: [PUBLIC] }))).rejects.toThrow('the disk is gone');
  });
});
