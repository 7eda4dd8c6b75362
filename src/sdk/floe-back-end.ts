import type { SegmentOpener, SegmentSealer } from '../crypto/open-stream.js';
import type { Bytes } from './bytes.js';

/** Where FLOE's cipher comes from: Web Crypto everywhere, node:crypto where it is there, since that is faster. */
export interface FloeBackEnd {
  /** A sealer of one message, with its header. @param key 32 bytes */
  seal(key: Bytes, aad: Uint8Array): Promise<SegmentSealer & { readonly header: Uint8Array }>;
  /** @throws SealError if the header was not made with this key and associated data */
  open(key: Bytes, header: Uint8Array, aad: Uint8Array): Promise<SegmentOpener>;
}
