import { fromUtf8, utf8, type Bytes } from './bytes.js';
import { openWithAge, sealWithAge, type AgeRecipient, type AgeOpener } from './age-seal.js';
import { SdkError } from './errors.js';
import { parseRecoveryCode } from './recovery-code.js';

const FORMAT = 'dcloud-recovery-kit/1';
const BEGIN = '-----BEGIN DCLOUD RECOVERY KIT-----';
const END = '-----END DCLOUD RECOVERY KIT-----';

/** All that is needed to get back into an account from nothing, on a machine that has never seen it. */
export interface RecoveryKit {
  /** Address of the server: `https://host`. */
  readonly server: string;
  readonly userName: string;
  readonly accountId: string;
  /** As a person writes it. */
  readonly recoveryCode: string;
  /** The server's key as it was pinned: a server with another one is not this one. */
  readonly serverKey: string;
  /** The account's own half of all its safety numbers. */
  readonly ownNumber: string;
  readonly madeAt: Date;
}

/** The kit as a text that a person can read and print, with a part at its end that a program reads. */
export function formatRecoveryKit(kit: RecoveryKit): string {
  const { server, userName, accountId, recoveryCode, serverKey, ownNumber, madeAt } = kit;
  return `DistributedCloud: recovery kit

Keep this where nobody but you finds it. With the recovery code whoever has it can set a new password, and read everything.

  Server         ${server}
  User name      ${userName}
  Recovery code  ${recoveryCode}
  Account        ${accountId}
  Server's key   ${serverKey}
  Your half of each safety number
                 ${ownNumber}
  Made           ${madeAt.toISOString()}

To get back in: dcloud recover --server ${server} --user ${userName}
It asks for the recovery code and a new password, and shows a new code: this kit is out of date then.

${BEGIN}
${JSON.stringify({ format: FORMAT, ...kit, madeAt: madeAt.toISOString() }, undefined, 2)}
${END}
`;
}

/** @throws SdkError `damaged`, `unsupported-format`, `invalid-recovery-code` */
export function parseRecoveryKit(text: string): RecoveryKit {
  const lines = text.split(/\r?\n/u);
  const [from, to] = [lines.indexOf(BEGIN), lines.indexOf(END)];
  if (from < 0 || to < from) throw new SdkError('damaged');
  const fields = parseFields(lines.slice(from + 1, to).join('\n'));
  if (fields['format'] !== FORMAT) throw new SdkError('unsupported-format');
  const field = (name: keyof RecoveryKit): string => {
    const value = fields[name];
    if (typeof value !== 'string') throw new SdkError('damaged');
    return value;
  };
  parseRecoveryCode(field('recoveryCode'));
  const madeAt = new Date(field('madeAt'));
  if (Number.isNaN(madeAt.getTime()) || !URL.canParse(field('server'))) throw new SdkError('damaged');
  return {
    server: field('server'),
    userName: field('userName'),
    accountId: field('accountId'),
    recoveryCode: field('recoveryCode'),
    serverKey: field('serverKey'),
    ownNumber: field('ownNumber'),
    madeAt,
  };
}

/** The kit as a file that `age --decrypt` opens. */
export function sealRecoveryKit(kit: RecoveryKit, recipient: AgeRecipient): Promise<Bytes> {
  return sealWithAge(utf8(formatRecoveryKit(kit)), recipient);
}

/** @throws SdkError `wrong-key`, `damaged`, `unsupported-format`, `invalid-recovery-code` */
export async function openRecoveryKit(sealed: Uint8Array, opener: AgeOpener): Promise<RecoveryKit> {
  const plain = await openWithAge(sealed, opener);
  try {
    return parseRecoveryKit(fromUtf8(plain));
  } catch (cause) {
    if (cause instanceof SdkError) throw cause;
    throw new SdkError('damaged', { cause });
  }
}

function parseFields(json: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new SdkError('damaged', { cause });
  }
  throw new SdkError('damaged');
}
