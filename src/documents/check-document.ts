import assert from 'node:assert/strict';
import { accountOfDrive } from '../common/ids.js';
import { COLLECTION_CHARACTERS_MAX, DOCUMENT_BYTES_MAX, KEY_BYTES_MAX, type Collection } from './document-store.js';

const COLLECTION = /^[a-z]+(-[a-z]+)*$/;

export function checkCollection(collection: Collection): void {
  if (accountOfDrive(collection) !== undefined) return;
  assert(collection.length <= COLLECTION_CHARACTERS_MAX && COLLECTION.test(collection), 'a collection has a plain name');
}

/** The rules of names of files, since a key is one: the index ends it by a control character. */
export function checkKey(key: string): void {
  assert(key !== '' && key.isWellFormed() && !/\p{Cc}/u.test(key), 'a key is a text without control characters');
  assert(Buffer.byteLength(key) <= KEY_BYTES_MAX, `a key has at most ${KEY_BYTES_MAX} bytes`);
}

export function checkBytes(bytes: Uint8Array): void {
  assert(bytes.length <= DOCUMENT_BYTES_MAX, `a document has at most ${DOCUMENT_BYTES_MAX} bytes`);
}
