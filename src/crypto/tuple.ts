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
  let bytes = 0;
  const encoded = fields.map((field) => {
    const part = encodeField(field);
    bytes += LENGTH_BYTES + 1 + part.length;
    return part;
  });
  const into = new Uint8Array(bytes);
  const view = new DataView(into.buffer);
  let end = 0;
  for (let index = 0; index < encoded.length; index += 1) {
    const part = encoded[index] as Uint8Array;
    view.setUint32(end, 1 + part.length);
    into[end + LENGTH_BYTES] = typeOf(fields[index] as TupleField);
    into.set(part, end + LENGTH_BYTES + 1);
    end += LENGTH_BYTES + 1 + part.length;
  }
  return into;
}

function typeOf(field: TupleField): number {
  if (typeof field === 'number') return TYPE_NUMBER;
  return typeof field === 'string' ? TYPE_STRING : TYPE_BYTES;
}

function encodeField(field: TupleField): Uint8Array {
  if (typeof field === 'number') return encodeNumber(field);
  return typeof field === 'string' ? encodeText(field) : field;
}

/** Nearly all texts are short and ASCII, and for those the general encoder takes ten times as long. */
function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return encodeUnicode(text);
    bytes[at] = code;
  }
  return bytes;
}

function encodeUnicode(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new RangeError('a string with half a surrogate pair has no encoding of its own');
  return new TextEncoder().encode(text);
}

function encodeNumber(number: number): Uint8Array {
  // -0 would encode as 0, which Object.is tells apart.
  if (!Number.isSafeInteger(number) || number < 0 || Object.is(number, -0))
    throw new RangeError(`${number} cannot stand in a tuple`);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}
