/** The thread behind `digest-thread.ts`: SHA-256 of what it is sent. */
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { DigestAnswer, DigestOrder } from './digest-thread.js';

const hashes = new Map<number, Hash>();

parentPort?.on('message', ({ id, pieces, end }: DigestOrder) => {
  const hash = hashes.get(id) ?? createHash('sha256');
  hashes.set(id, hash);
  let bytes = 0;
  for (const piece of pieces) {
    hash.update(piece);
    bytes += piece.length;
    piece.buffer.transfer(0); // its memory goes back at once, and not when it is collected
  }
  if (end !== undefined) hashes.delete(id);
  const answer: DigestAnswer = end === 'sum' ? { id, bytes, sum: hash.digest() } : { id, bytes };
  parentPort?.postMessage(answer);
});
