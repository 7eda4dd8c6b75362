import { randomBytes } from 'node:crypto';
import { totalBytes } from '../../common/total-bytes.js';
import { NodeError, type NodeErrorKind } from '../storage-node.js';
import { isSame, type PeerSecret } from './peer-secret.js';
import { PeerTag, TAG_BYTES } from './peer-tag.js';

/** Bytes that a frame carries at most: what has to be taken in before it is proved. */
export const FRAME_BYTES_MAX = 1024 * 1024;
/** Random bytes before the first frame. */
const SALT_BYTES = 16;
const HEAD_BYTES = 5;
const DETAIL_BYTES_MAX = 1024;

/** The last one: an answer without it was cut. */
const LAST = 1;
/** The node's error, with which the answer ends. */
const FAILED = 2;
/** The request was for an earlier run of the process; it was not acted on. */
const OTHER_RUN = 4;

const KINDS: readonly NodeErrorKind[] = ['not-found', 'corrupt', 'unavailable', 'full', 'rejected'];

/** The answer of a peer that was started anew since its `hello`. */
export class OtherRunError extends Error {
  override readonly name = 'OtherRunError';
}

/** Makes the frames of one answer: each proves what it carries, its place in the answer and the request that it answers. */
export class FrameSealer {
  private readonly salt = randomBytes(SALT_BYTES);
  private readonly key: Uint8Array;
  private sequence = 0;

  constructor(secret: PeerSecret, nonce: string) {
    this.key = secret.keyOfAnswer(nonce, this.salt);
  }

  /** Bytes of a whole answer, of which these are the payloads. */
  static bytesOf(payloads: readonly (readonly Uint8Array[])[]): number {
    return payloads.reduce((sum, payload) => sum + HEAD_BYTES + totalBytes(payload) + TAG_BYTES, SALT_BYTES);
  }

  data(payload: readonly Uint8Array[], isLast: boolean): readonly Uint8Array[] {
    return this.seal(isLast ? LAST : 0, payload);
  }

  failure(error: NodeError): readonly Uint8Array[] {
    return this.seal(LAST | FAILED, [encodeFailure(error)]);
  }

  otherRun(): readonly Uint8Array[] {
    return this.seal(LAST | OTHER_RUN, []);
  }

  private seal(flags: number, payload: readonly Uint8Array[]): readonly Uint8Array[] {
    const length = totalBytes(payload);
    if (length > FRAME_BYTES_MAX) throw new RangeError('a frame is too long');
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt8(flags, 0);
    head.writeUInt32BE(length, 1);
    const before = this.sequence === 0 ? [this.salt] : [];
    const tag = new PeerTag(this.key, this.sequence++).update(head);
    for (const part of payload) tag.update(part);
    return [...before, head, ...payload, tag.digest()];
  }
}

/**
 * Takes the frames of one answer out of the bytes that come, in pieces of whatever size. Holds at most one frame and one piece.
 * @throws NodeError `unavailable` for bytes that are no frames of this answer, the error with which the answer ends, OtherRunError
 */
export class FrameOpener {
  private readonly salt = Buffer.alloc(SALT_BYTES);
  /** Undefined until the salt has come. */
  private key: Uint8Array | undefined;
  private readonly head = Buffer.alloc(HEAD_BYTES);
  /** The frame that is coming in, from when its head says how long it is. */
  private frame: Uint8Array | undefined;
  private filled = 0;
  private sequence = 0;
  private ended = false;

  constructor(
    private readonly secret: PeerSecret,
    private readonly nonce: string,
  ) {}

  get isEnded(): boolean {
    return this.ended;
  }

  /** What the frames carry that are whole by now. */
  *push(piece: Uint8Array): Generator<Uint8Array, void, undefined> {
    let rest = piece;
    while (rest.byteLength > 0) {
      if (this.ended) throw new NodeError('unavailable', 'its answer goes on after its end');
      const target = this.key === undefined ? this.salt : (this.frame ?? this.head);
      const taken = rest.subarray(0, target.byteLength - this.filled);
      target.set(taken, this.filled);
      this.filled += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (this.filled < target.byteLength) return;
      if (this.key === undefined) {
        this.key = this.secret.keyOfAnswer(this.nonce, this.salt);
        this.filled = 0;
      } else if (this.frame === undefined) this.frame = this.begin();
      else {
        const { frame, key } = this;
        this.frame = undefined;
        this.filled = 0;
        yield this.open(frame, key, rest.byteLength === 0);
      }
    }
  }

  /** For the end of the bytes. */
  end(): void {
    if (!this.ended) throw new NodeError('unavailable', 'its answer was cut off');
  }

  private begin(): Uint8Array {
    const length = this.head.readUInt32BE(1);
    if (length > FRAME_BYTES_MAX) throw notAPeer();
    const frame = Buffer.allocUnsafeSlow(HEAD_BYTES + length + TAG_BYTES);
    frame.set(this.head);
    return frame;
  }

  private open(frame: Uint8Array, key: Uint8Array, isAll: boolean): Uint8Array {
    const body = frame.subarray(0, -TAG_BYTES);
    if (!isSame(new PeerTag(key, this.sequence++).update(body).digest(), frame.subarray(-TAG_BYTES))) throw notAPeer();
    const flags = frame[0] as number;
    const payload = body.subarray(HEAD_BYTES);
    this.ended = (flags & LAST) !== 0;
    if (this.ended && !isAll) throw new NodeError('unavailable', 'its answer goes on after its end');
    if ((flags & OTHER_RUN) !== 0) throw new OtherRunError();
    if ((flags & FAILED) !== 0) throw decodeFailure(payload);
    return payload;
  }
}

/** An error of a node in bytes: its kind, then the words. */
export function encodeFailure({ kind, message }: NodeError): Uint8Array {
  const detail = message.startsWith(`${kind}: `) ? message.slice(kind.length + 2) : message;
  return Buffer.concat([Uint8Array.of(KINDS.indexOf(kind) + 1), Buffer.from(detail).subarray(0, DETAIL_BYTES_MAX)]);
}

export function decodeFailure(bytes: Uint8Array): NodeError {
  const kind = KINDS[(bytes[0] ?? 0) - 1] ?? 'unavailable';
  const text = Buffer.from(bytes.subarray(1, 1 + DETAIL_BYTES_MAX)).toString('utf8');
  // What another process says must not be able to begin a line of its own in a log.
  return new NodeError(kind, text.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' '));
}

function notAPeer(): NodeError {
  return new NodeError(
    'unavailable',
    'its answer proves nothing: it is no peer of this cluster, or something between changed it',
  );
}
