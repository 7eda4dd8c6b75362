import { Decrypter, Encrypter } from 'age-encryption';
import { asOwned, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';

/**
 * For whom something is sealed in the age format (https://age-encryption.org/v1), which other programs open: `age`, `rage`. A passphrase alone, or
 * public keys (`age1…`); the format allows no mixture.
 */
export type AgeRecipient = { readonly passphrase: string } | { readonly publicKeys: readonly string[] };

/** A passphrase, or the private key `AGE-SECRET-KEY-1…` that belongs to one of the public ones. */
export type AgeOpener = { readonly passphrase: string } | { readonly privateKey: string };

/** Seals a few bytes. @throws SdkError `invalid-recipient` */
export async function sealWithAge(plain: Uint8Array, recipient: AgeRecipient): Promise<Bytes> {
  return asOwned(await encrypterFor(recipient).encrypt(plain));
}

/** @throws SdkError `wrong-key`; `damaged` */
export async function openWithAge(sealed: Uint8Array, opener: AgeOpener): Promise<Bytes> {
  const decrypter = new Decrypter();
  if ('passphrase' in opener) decrypter.addPassphrase(opener.passphrase.normalize('NFC'));
  else
    understood(() => {
      decrypter.addIdentity(opener.privateKey);
    });
  try {
    return asOwned(await decrypter.decrypt(sealed));
  } catch (error) {
    // The library has no codes; this is its sentence for a file that was sealed for somebody else.
    const isOtherKey = String(error).includes('no identity matched');
    throw new SdkError(isOtherKey ? 'wrong-key' : 'damaged');
  }
}

/** Seals a stream of any length as it flows: a chunk of 64 KiB at a time is in memory. @throws SdkError `invalid-recipient` */
export async function* sealStreamWithAge(
  plain: AsyncIterable<Uint8Array>,
  recipient: AgeRecipient,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encrypter = encrypterFor(recipient);
  const sealed = await encrypter.encrypt(streamOf(plain));
  const reader = sealed.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    // Who stops reading stops the source too. After an error or the end there is nothing to stop.
    await reader.cancel().catch(() => undefined);
  }
}

function encrypterFor(recipient: AgeRecipient): Encrypter {
  const encrypter = new Encrypter();
  if ('passphrase' in recipient) {
    if (recipient.passphrase === '') throw new SdkError('invalid-recipient');
    // As it is typed on another keyboard: `age` takes the bytes as they come, and terminals send composed characters.
    encrypter.setPassphrase(recipient.passphrase.normalize('NFC'));
    return encrypter;
  }
  if (recipient.publicKeys.length === 0) throw new SdkError('invalid-recipient');
  for (const key of recipient.publicKeys)
    understood(() => {
      encrypter.addRecipient(key);
    });
  return encrypter;
}

function understood(add: () => void): void {
  try {
    add();
  } catch {
    throw new SdkError('invalid-recipient'); // its own words may quote a private key that somebody took for the public one
  }
}

function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller): Promise<void> {
        const next = await iterator.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel(): Promise<void> {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
