import type { AccountId } from '../auth/account.js';
import { ByteWriter } from '../common/byte-codec.js';
import { idFromBytes, idToBytes, type FileId } from '../common/ids.js';
import { readKept } from '../documents/read-kept.js';

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
  return readKept(bytes, { version: VERSION, what: 'an upload into a drive' }, (reader) => {
    const by = idFromBytes<AccountId>(reader.view(ID_BYTES));
    return { by, parentId: reader.number() === INTO_FOLDER ? idFromBytes<FileId>(reader.view(ID_BYTES)) : undefined };
  });
}
