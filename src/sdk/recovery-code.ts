import { randomBytes, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';

const CODE_BYTES = 20;
const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Five more for the check symbol, which counts to 37: a prime finds every single wrong symbol and every two that changed places. */
const CHECK_SYMBOLS = `${SYMBOLS}*~$=U`;
const CODE_SYMBOLS = (CODE_BYTES * 8) / 5;
const GROUP_SYMBOLS = 4;

/** 160 random bits. */
export function newRecoveryCode(): Bytes {
  return randomBytes(CODE_BYTES);
}

/** Crockford's base 32 in eight groups of four, and the check symbol: what a person writes down. */
export function formatRecoveryCode(code: Uint8Array): string {
  if (code.length !== CODE_BYTES) throw new RangeError(`a recovery code has ${CODE_BYTES} bytes`);
  let value = toNumber(code);
  const check = CHECK_SYMBOLS.charAt(Number(value % 37n));
  let symbols = '';
  for (let at = 0; at < CODE_SYMBOLS; at += 1, value >>= 5n) symbols = SYMBOLS.charAt(Number(value & 31n)) + symbols;
  const groups = symbols.match(new RegExp(`.{${GROUP_SYMBOLS}}`, 'g')) as string[];
  return [...groups, check].join('-');
}

/** Reads what a person typed: small letters, other spaces and dashes, and O for 0, I and L for 1. @throws SdkError `invalid-recovery-code` */
export function parseRecoveryCode(text: string): Bytes {
  const symbols = text.toUpperCase().replace(/[\s-]/gu, '').replace(/O/gu, '0').replace(/[IL]/gu, '1');
  if (symbols.length !== CODE_SYMBOLS + 1) throw new SdkError('invalid-recovery-code');
  let value = 0n;
  for (const symbol of symbols.slice(0, CODE_SYMBOLS)) {
    const digit = SYMBOLS.indexOf(symbol);
    if (digit < 0) throw new SdkError('invalid-recovery-code');
    value = (value << 5n) | BigInt(digit);
  }
  if (CHECK_SYMBOLS.charAt(Number(value % 37n)) !== symbols.charAt(CODE_SYMBOLS)) throw new SdkError('invalid-recovery-code');
  return toBytes(value);
}

function toNumber(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function toBytes(value: bigint): Bytes {
  const bytes = new Uint8Array(CODE_BYTES);
  let rest = value;
  for (let at = CODE_BYTES - 1; at >= 0; at -= 1, rest >>= 8n) bytes[at] = Number(rest & 255n);
  return bytes;
}
