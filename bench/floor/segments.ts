import { type CipherGCM, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Bytes of a sealed segment, as the product has them: length, IV, ciphertext, tag. */
export const SEGMENT_BYTES = 65_536;
const HEAD_BYTES = 16;
const TAG_BYTES = 16;
/** Bytes of the body in a segment that is not the last one. */
export const PLAIN_BYTES = SEGMENT_BYTES - HEAD_BYTES - TAG_BYTES;

export function sealedBytes(size: number): number {
  return size + (Math.floor(size / PLAIN_BYTES) + 1) * (HEAD_BYTES + TAG_BYTES);
}

function associated(position: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt32BE(position, 4);
  return bytes;
}

/** Seals a body in segments with AES-256-GCM of `node:crypto`, as it comes and without copying it. */
export class Segments {
  private readonly key: Uint8Array;
  private position = 0;
  private left = 0;
  private parts: Buffer[] = [];
  private cipher: CipherGCM | undefined;

  constructor(key: Uint8Array) {
    this.key = key;
  }

  /** Seals a piece; hands on, in parts, each segment that is complete. */
  push(piece: Buffer, complete: (parts: readonly Buffer[]) => void): void {
    for (let taken = 0; taken < piece.length;) {
      const cipher = (this.cipher ??= this.begin());
      const bytes = piece.subarray(taken, taken + this.left);
      this.parts.push(cipher.update(bytes));
      taken += bytes.length;
      this.left -= bytes.length;
      if (this.left === 0) complete(this.end(cipher));
    }
  }

  /** The last segment, which may be empty. */
  finish(): readonly Buffer[] {
    return this.end(this.cipher ?? this.begin());
  }

  private begin(): CipherGCM {
    const head = randomBytes(HEAD_BYTES);
    this.parts = [head];
    this.left = PLAIN_BYTES;
    const cipher = createCipheriv('aes-256-gcm', this.key, head.subarray(4));
    return cipher.setAAD(associated(this.position++));
  }

  private end(cipher: CipherGCM): readonly Buffer[] {
    cipher.final();
    this.cipher = undefined;
    return [...this.parts, cipher.getAuthTag()];
  }
}

/** Opens the segments that lie behind each other in `bytes`, the first of which is the one at `position`. */
export function openSegments(bytes: Buffer, key: Uint8Array, position: number): Buffer[] {
  const opened: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += SEGMENT_BYTES) {
    const segment = bytes.subarray(at, at + SEGMENT_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key, segment.subarray(4, HEAD_BYTES));
    decipher.setAAD(associated(position + at / SEGMENT_BYTES));
    decipher.setAuthTag(segment.subarray(-TAG_BYTES));
    opened.push(decipher.update(segment.subarray(HEAD_BYTES, -TAG_BYTES)));
    decipher.final();
  }
  return opened;
}
