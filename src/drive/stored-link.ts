import { ByteWriter } from '../common/byte-codec.js';
import { readKept } from '../documents/read-kept.js';

const VERSION = 1;
export const PROOF_HASH_BYTES = 32;
const COUNT_BYTES = 4;

/** What is kept of a link: a document under `l/<node>/<link>`. */
export interface StoredLink {
  /** As the owner's client sealed it. */
  readonly link: Uint8Array;
  /** SHA-256 of what whoever opens it has to show. */
  readonly proofHash: Uint8Array;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresAt: number | undefined;
  /** How often it may be opened; undefined: always. */
  readonly usesMax: number | undefined;
  /** How often it was, as far as that is counted: where there is a limit. */
  readonly uses: number;
}

export function encodeLink({ link, proofHash, createdAt, expiresAt, usesMax, uses }: StoredLink): Uint8Array {
  const writer = new ByteWriter().number(VERSION).bytes(link).fixed(proofHash).number(createdAt);
  // One that never ends ends at 0, and one that may be opened always may be opened 0 times: neither is taken from a client.
  writer.number(expiresAt ?? 0).number(usesMax ?? 0);
  const count = Buffer.alloc(COUNT_BYTES);
  count.writeUInt32BE(uses);
  // As long however often it was opened: whoever has no room left in the quota has a link all the same.
  return writer.fixed(count).finish();
}

/** @throws DomainError `data-damaged` */
export function decodeLink(bytes: Uint8Array): StoredLink {
  return readKept(bytes, { version: VERSION, what: 'what is kept of a link' }, (reader) => {
    const sealed = { link: reader.bytes(), proofHash: reader.fixed(PROOF_HASH_BYTES), createdAt: reader.number() };
    const [expiresAt, usesMax] = [reader.number(), reader.number()];
    const uses = Buffer.from(reader.fixed(COUNT_BYTES)).readUInt32BE();
    const limits = { expiresAt: expiresAt === 0 ? undefined : expiresAt, usesMax: usesMax === 0 ? undefined : usesMax };
    return { ...sealed, ...limits, uses };
  });
}
