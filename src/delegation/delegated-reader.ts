import { VersionCrypto } from '../crypto/version-keys.js';
import { BodyReader, startingWith } from '../files/body-reader.js';
import type { ReadTicket } from '../files/read-ticket.js';
import type { KeyRing } from '../crypto/key-ring.js';

/** Reads bodies from the nodes and opens them, by tickets of the gateway. */
export class DelegatedReader {
  constructor(private readonly bodies: BodyReader) {}

  /** Resolves with the bytes when the first of them are there. @throws DomainError, NodeError */
  async read({ range, manifest }: ReadTicket, keyRing: KeyRing, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { fileId, versionId, seal } = manifest;
    const opening = new VersionCrypto(() => keyRing).open({ fileId, versionId }, seal);
    const pieces = this.bodies.read({ manifest, unseal: () => opening }, range, signal);
    const first = await pieces.next();
    if (first.done === true) throw new RangeError('a ticket is for more than nothing');
    return startingWith(first.value, pieces);
  }
}
