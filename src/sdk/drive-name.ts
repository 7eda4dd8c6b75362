import { purposeKey } from './hkdf.js';
import { utf8, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { symmetric } from './symmetric.js';

export const NAME_TAG_BYTES = 32;
const NAME_BYTES_MAX = 1_024;

/**
 * A name as it is kept: composed (NFC), so that two spellings that look alike are one name.
 * @throws SdkError `invalid-name` for what no file system of the world could call a name
 */
export function normalName(name: string): string {
  if (!name.isWellFormed()) throw new SdkError('invalid-name');
  const normal = name.normalize('NFC');
  const isBad = normal === '' || normal === '.' || normal === '..' || /[/\p{Cc}]/u.test(normal);
  if (isBad || utf8(normal).length > NAME_BYTES_MAX) throw new SdkError('invalid-name');
  return normal;
}

/** Keys of the tags, by the folder's key: a long listing asks for one of them again and again. */
const tagKeys = new WeakMap<Uint8Array, Promise<Bytes>>();

/** By what the server tells that a name is taken, in one folder, without knowing it: HMAC-SHA-256 under the folder's key. */
export async function nameTag(folderKey: Uint8Array, name: string): Promise<Bytes> {
  const key = tagKeys.get(folderKey) ?? purposeKey(folderKey, 'name-tag');
  tagKeys.set(folderKey, key);
  return symmetric().hmac(await key, utf8(normalName(name)));
}
