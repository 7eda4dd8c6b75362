import { DomainError } from '../common/errors.js';
import type { ListOrder } from './metadata-store.js';

const ID_BYTES = 16;
const NAME_BYTES_MAX = 1024;
/** The least first byte of a name. */
export const SPACE = 0x20;
/** Between a name and the id behind it: names hold no control characters. */
const TERMINATOR = 0;
const ORDERS: readonly ListOrder[] = ['name', '-name', 'createdAt', '-createdAt'];

/** Whether there can be a name with this prefix: none is longer than that, or holds such a byte. */
export function mayBeginName(prefix: string): boolean {
  const bytes = Buffer.from(prefix, 'utf8');
  return bytes.length <= NAME_BYTES_MAX && bytes.every((byte) => byte >= SPACE);
}

/**
 * A cursor is where a page ended, behind the number of its order: `name 0x00 id` with the orders by name, `id` with those by creation. So a
 * cursor of one adapter is one of the other too.
 */
export function encodeCursor(order: ListOrder, key: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(ORDERS.indexOf(order)), key]);
}

/** The key to go on after. It need not be there any more, but it must be one that this order could have had. */
export function decodeCursor(order: ListOrder, cursor: Uint8Array): Uint8Array {
  const key = cursor.subarray(1);
  const shaped = order.endsWith('name') ? isNameKey(key) : key.length === ID_BYTES;
  if (cursor[0] !== ORDERS.indexOf(order) || !shaped)
    throw new DomainError('invalid-cursor', 'the cursor is not one of this list');
  return key;
}

function isNameKey(key: Uint8Array): boolean {
  const nameBytes = key.length - ID_BYTES - 1;
  return (key[0] ?? 0) >= SPACE && nameBytes >= 0 && nameBytes <= NAME_BYTES_MAX && key.indexOf(TERMINATOR) === nameBytes;
}
