import { type ByteReader, ByteWriter } from '../common/byte-codec.js';
import type { FileId } from '../common/ids.js';
import { readKept } from '../documents/read-kept.js';

const VERSION = 1;

/** Of the two parts of a bundle: with the rest they fit into a document. */
export const SEALED_BYTES_MAX = 8 * 1024;
export const IDENTITY_BYTES_MAX = 4 * 1024;

/** What the client sealed, and its public half. The server knows nothing of either but the size. */
export interface Bundle {
  /** Wrapped keys, for the account's own devices. */
  readonly sealed: Uint8Array;
  /** The public identity, for whoever shares with the account. */
  readonly identity: Uint8Array;
}

/** How one account logs in: a document of the collection `logins`, under its user name. */
export interface LoginRecord {
  /** The id of the account. */
  readonly account: FileId;
  /** Tells by which login setup of the key ring the registrations were made. */
  readonly setup: Uint8Array;
  /** OPAQUE registration records, as the protocol's library writes them. */
  readonly password: string;
  readonly recovery: string | undefined;
  /** Grows with each change of a password or recovery code: sessions of another one are over, but the one that made the change. */
  readonly epoch: number;
  readonly keptSession: FileId | undefined;
  readonly bundle: Bundle;
}

export function encodeLogin(login: LoginRecord): Uint8Array {
  return new ByteWriter()
    .number(VERSION)
    .text(login.account)
    .bytes(login.setup)
    .bytes(Buffer.from(login.password, 'base64url'))
    .bytes(Buffer.from(login.recovery ?? '', 'base64url'))
    .number(login.epoch)
    .text(login.keptSession ?? '')
    .bytes(login.bundle.sealed)
    .bytes(login.bundle.identity)
    .finish();
}

/** @throws DomainError `data-damaged` */
export function decodeLogin(bytes: Uint8Array): LoginRecord {
  return readKept(bytes, { version: VERSION, what: 'the login of an account' }, readLogin);
}

function readLogin(reader: ByteReader): LoginRecord {
  const account = reader.text() as FileId;
  const setup = reader.bytes();
  const password = Buffer.from(reader.bytes()).toString('base64url');
  const recovery = Buffer.from(reader.bytes()).toString('base64url');
  const epoch = reader.number();
  const keptSession = reader.text();
  const bundle = { sealed: reader.bytes(), identity: reader.bytes() };
  return {
    account,
    setup,
    password,
    recovery: recovery === '' ? undefined : recovery,
    epoch,
    keptSession: keptSession === '' ? undefined : (keptSession as FileId),
    bundle,
  };
}
