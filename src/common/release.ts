/** Smaller ones are no burden. */
export const RELEASED_BYTES_LEAST = 4 * 1024;

/** What is shorter may still wait in a socket when its request was answered: that takes so much in advance. */
export const SENT_BYTES_LEAST = 64 * 1024;

/**
 * Gives back the memory of bytes that nobody needs any more, at once, if they are a whole buffer of some size; nobody may use them after that,
 * no write that is under way either: it would send what comes to lie there next. Left to the collector of garbage, buffers make it run for every
 * few dozen of them, and that takes as much of the processor as all else that is done with their bytes (docs/adr/0021).
 */
export function release(bytes: Uint8Array, bytesLeast = RELEASED_BYTES_LEAST): void {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteLength < bytesLeast || byteOffset !== 0 || byteLength !== buffer.byteLength) return;
  free(buffer);
}

/** Also of another realm, as the tests have one; what is shared cannot be taken away. */
export function free(buffer: ArrayBufferLike): void {
  if ('transfer' in buffer) buffer.transfer(0);
}
