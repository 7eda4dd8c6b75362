export type TupleField = string | number | Uint8Array;

const TYPE_BYTES = 0x62;
const TYPE_NUMBER = 0x6e;
const TYPE_STRING = 0x73;
const LENGTH_BYTES = 4;

/**
 * Encodes fields so that no two different tuples encode alike, and none is the beginning of another with the same number of fields:
 * what associated data and key derivations need, where ("ab", "c") must not be ("a", "bc"). Each field is its length (4 bytes, big
 * endian), and in that length one byte for its type and its bytes: UTF-8, 8 bytes big endian, or as they are.
 *
 * @throws RangeError for what cannot be told apart afterwards: numbers that are not whole, below 0 or above 2^53 - 1, and strings with
 *   half a surrogate pair, which UTF-8 replaces by one and the same sign.
 */
export function tuple(...fields: readonly TupleField[]): Uint8Array {
  const encoded = fields.map(encodeField);
  const bytes = new Uint8Array(encoded.reduce((sum, field) => sum + LENGTH_BYTES + 1 + field.bytes.length, 0));
  const view = new DataView(bytes.buffer);
  let end = 0;
  for (const field of encoded) {
    view.setUint32(end, 1 + field.bytes.length);
    view.setUint8(end + LENGTH_BYTES, field.type);
    bytes.set(field.bytes, end + LENGTH_BYTES + 1);
    end += LENGTH_BYTES + 1 + field.bytes.length;
  }
  return bytes;
}

function encodeField(field: TupleField): { readonly type: number; readonly bytes: Uint8Array } {
  if (typeof field === 'number') return { type: TYPE_NUMBER, bytes: encodeNumber(field) };
  if (typeof field !== 'string') return { type: TYPE_BYTES, bytes: field };
  if (!field.isWellFormed()) throw new RangeError('a string with half a surrogate pair has no encoding of its own');
  return { type: TYPE_STRING, bytes: new TextEncoder().encode(field) };
}

function encodeNumber(number: number): Uint8Array {
  // -0 would encode as 0, which Object.is tells apart.
  if (!Number.isSafeInteger(number) || number < 0 || Object.is(number, -0))
    throw new RangeError(`${number} cannot stand in a tuple`);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}
