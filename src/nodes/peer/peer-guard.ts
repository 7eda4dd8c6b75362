import type { IncomingMessage } from 'node:http';
import { release } from '../../common/release.js';
import { within } from '../../common/within.js';
import type { Limits } from '../../config/limits.js';
import { readProof, type PeerClaim } from './peer-proof.js';
import { isSame, type PeerSecret } from './peer-secret.js';
import { PeerTag } from './peer-tag.js';
import { ReplayWindow } from './replay-window.js';

/** What is thrown for a request that proves nothing: it is answered 401 and nothing else. */
export class NoProofError extends Error {
  override readonly name = 'NoProofError';
}

/** Lets only those requests through that prove themselves, each once. */
export class PeerGuard {
  private readonly window: ReplayWindow;

  constructor(
    private readonly secret: PeerSecret,
    private readonly limits: Limits,
  ) {
    // A time may lie ahead as well as behind.
    this.window = new ReplayWindow(2 * limits.peer_clock_ms_max);
  }

  /** What the head of a request proves. Its body is proved by {@link readBody}. */
  verify({ method = '', url = '', headers }: IncomingMessage): PeerClaim {
    const claim = readProof({ method, path: url }, headers.authorization, this.secret);
    if (claim === undefined) throw new NoProofError();
    const now = Date.now();
    if (Math.abs(now - claim.time) > this.limits.peer_clock_ms_max || !this.window.admit(claim.nonce, now))
      throw new NoProofError();
    return claim;
  }

  /** The body, if it is the one that was proved; for a length that the caller has found room for. */
  async readBody(request: IncomingMessage, { nonce, length, digest }: PeerClaim, signal: AbortSignal): Promise<Uint8Array> {
    const body = Buffer.allocUnsafeSlow(length);
    const tag = new PeerTag(this.secret.keyOfBody(nonce));
    let filled = 0;
    const read = async (): Promise<void> => {
      for await (const piece of request as AsyncIterable<Buffer>) {
        if (filled + piece.byteLength > length) throw new NoProofError();
        body.set(piece, filled);
        filled += piece.byteLength;
        tag.update(piece);
        release(piece);
      }
    };
    try {
      await within(signal, read());
    } catch (error) {
      request.destroy(); // or what is left behind would go on filling it
      throw error;
    }
    if (filled !== length || !isSame(tag.digest(), Buffer.from(digest, 'hex'))) throw new NoProofError();
    return body;
  }
}
