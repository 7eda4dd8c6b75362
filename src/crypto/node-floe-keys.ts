import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import {
  FLOE_KEY_BYTES,
  HEADER_TAG_BYTES,
  MESSAGE_KEY_BYTES,
  kdfInput,
  rotationStart,
  type FloeMessage,
  type FloePurpose,
} from './floe-format.js';

/** All that is derived from the key of one FLOE message, with node:crypto. */
export class NodeFloeKeys {
  readonly headerTag: Uint8Array;
  private readonly messageKey: KeyObject;
  private current: { readonly start: number; readonly key: KeyObject } | undefined;

  constructor(
    key: KeyObject,
    private readonly message: FloeMessage,
  ) {
    if (key.symmetricKeySize !== FLOE_KEY_BYTES) throw new TypeError(`a FLOE key is a secret of ${FLOE_KEY_BYTES} bytes`);
    this.headerTag = this.derive(key, 'HEADER_TAG:', HEADER_TAG_BYTES);
    this.messageKey = this.deriveKey(key, 'MESSAGE_KEY:', MESSAGE_KEY_BYTES);
  }

  /** The key of the segment at a position, kept until another one is needed: a million neighbours share it. */
  segmentKey(position: number): KeyObject {
    const start = rotationStart(position, this.message.parameters);
    if (this.current?.start !== start) {
      this.current = { start, key: this.deriveKey(this.messageKey, { segmentKeyOf: position }, FLOE_KEY_BYTES) };
    }
    return this.current.key;
  }

  private deriveKey(from: KeyObject, purpose: FloePurpose, bytes: number): KeyObject {
    const derived = this.derive(from, purpose, bytes);
    try {
      // A KeyObject, not bytes: with bytes Node.js takes ten times as long to set up each cipher.
      return createSecretKey(derived);
    } finally {
      derived.fill(0);
    }
  }

  private derive(from: KeyObject, purpose: FloePurpose, bytes: number): Uint8Array {
    return createHmac('sha384', from).update(kdfInput(this.message, purpose)).digest().subarray(0, bytes);
  }
}
