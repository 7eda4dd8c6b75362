import type { AccountId } from '../auth/account.js';
import { ByteReader, ByteWriter } from '../common/byte-codec.js';
import { DomainError } from '../common/errors.js';
import { idFromBytes, idToBytes, type FileId } from '../common/ids.js';

const VERSION = 1;
const ID_BYTES = 16;
const OF_NODE = 0;
const INTO_FOLDER = 1;

/** What is kept of an upload under way: a document under `u/<node>/…`, which never changes. */
export interface StoredUpload {
  /** Who began it, and alone goes on with it. */
  readonly by: AccountId;
  /** The folder that the new file is to lie in; undefined for new content of a file that is there. */
  readonly parentId: FileId | undefined;
}

export function encodeUpload({ by, parentId }: StoredUpload): Uint8Array {
  const writer = new ByteWriter().number(VERSION).fixed(idToBytes(by));
  if (parentId === undefined) return writer.number(OF_NODE).finish();
  return writer.number(INTO_FOLDER).fixed(idToBytes(parentId)).finish();
}

/** @throws DomainError `data-damaged` */
export function decodeUpload(bytes: Uint8Array): StoredUpload {
  try {
    return readUpload(new ByteReader(bytes));
  } catch (cause) {
    throw new DomainError('data-damaged', 'an upload into a drive cannot be read', { cause });
  }
}

function readUpload(reader: ByteReader): StoredUpload {
  const version = reader.number();
  if (version !== VERSION) throw new Error(`it is of version ${version}`);
  const by = idFromBytes<AccountId>(reader.view(ID_BYTES));
  const parentId = reader.number() === INTO_FOLDER ? idFromBytes<FileId>(reader.view(ID_BYTES)) : undefined;
  reader.end();
  return { by, parentId };
}
