import { describe, expect, it } from '@jest/globals';
import { createSecretKey, randomBytes } from 'node:crypto';
import { FLOE } from './floe-format.js';
import { NodeFloeOpener } from './node-floe-opener.js';
import { NodeFloeSealer } from './node-floe-sealer.js';
import { openSegments, sealStream, type OpenOptions, type SegmentOpener } from './open-stream.js';

const small = { ...FLOE, segmentBytes: 40 };
const key = createSecretKey(randomBytes(32));
const aad = Buffer.from('aad');

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const collected: Uint8Array[] = [];
  for await (const piece of pieces) collected.push(piece);
  return collected;
}

async function* streamOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    await Promise.resolve();
    yield chunk;
  }
}

async function sealed(plain: Uint8Array): Promise<{ opener: NodeFloeOpener; body: Buffer }> {
  const sealer = new NodeFloeSealer(key, aad, small);
  const pieces = await collect(sealStream(streamOf(plain.subarray(0, 5), plain.subarray(5)), sealer));
  return { opener: new NodeFloeOpener(key, sealer.header, aad, small), body: Buffer.concat(pieces) };
}

async function opened(chunks: AsyncIterable<Uint8Array>, opener: SegmentOpener, options: OpenOptions): Promise<Buffer> {
  return Buffer.concat(await collect(openSegments(chunks, opener, options)));
}

describe('openSegments', () => {
  const plain = randomBytes(20); // segments of 8, 8 and 4 bytes
  const whole = { sealedSize: 116, firstSegment: 0, lastSegment: 2 };
  const flipped = (body: Buffer, at: number): Buffer => {
    const copy = Buffer.from(body);
    copy[at]! ^= 1;
    return copy;
  };

  it.each([1, 7, 39, 40, 41, 80, 116])('opens a body that comes in chunks of %d bytes', async (bytes) => {
    const { opener, body } = await sealed(plain);
    const chunks = Array.from({ length: Math.ceil(116 / bytes) }, (_, index) =>
      body.subarray(index * bytes, (index + 1) * bytes),
    );
    expect(await opened(streamOf(...chunks, new Uint8Array(0)), opener, whole)).toEqual(plain);
  });

  it('opens a part of a body', async () => {
    const { opener, body } = await sealed(plain);
    expect(await opened(streamOf(body.subarray(40, 80)), opener, { ...whole, firstSegment: 1, lastSegment: 1 })).toEqual(
      plain.subarray(8, 16),
    );
    expect(await opened(streamOf(body.subarray(80)), opener, { ...whole, firstSegment: 2 })).toEqual(plain.subarray(16));
  });

  it('opens an empty message', async () => {
    const { opener, body } = await sealed(new Uint8Array(0));
    expect(await opened(streamOf(body), opener, { sealedSize: 32, firstSegment: 0, lastSegment: 0 })).toHaveLength(0);
  });

  it('copies only the segments that straddle chunks', async () => {
    const { opener, body } = await sealed(plain);
    const chunks = [Uint8Array.from(body.subarray(0, 60)), Uint8Array.from(body.subarray(60))];
    const buffers: ArrayBufferLike[] = [];
    const watching: SegmentOpener = {
      parameters: small,
      openSegment: (bytes, position, final) => {
        buffers.push(bytes.buffer);
        return opener.openSegment(bytes, position, final);
      },
    };
    expect(await opened(streamOf(...chunks), watching, whole)).toEqual(plain);
    expect(buffers.map((buffer) => chunks.findIndex((chunk) => chunk.buffer === buffer))).toEqual([0, -1, 1]);
  });

  it('takes the first candidate that opens when a segment does not', async () => {
    const { opener, body } = await sealed(plain);
    const asked: number[][] = [];
    const recover = (from: number, to: number): AsyncIterable<Uint8Array> => {
      asked.push([from, to]);
      return streamOf(
        flipped(body, 110).subarray(from, to),
        body.subarray(from, to - 1),
        body.subarray(0, 36),
        body.subarray(from, to),
      );
    };
    expect(await opened(streamOf(flipped(body, 100)), opener, { ...whole, recover })).toEqual(plain);
    expect(asked).toEqual([[80, 116]]);
  });

  it('recovers a segment that straddled chunks and goes on', async () => {
    const { opener, body } = await sealed(plain);
    const bad = flipped(body, 50);
    const recover = (from: number, to: number): AsyncIterable<Uint8Array> => streamOf(body.subarray(from, to));
    expect(await opened(streamOf(bad.subarray(0, 45), bad.subarray(45)), opener, { ...whole, recover })).toEqual(plain);
  });

  it('tells damage when no candidate opens, and gives nothing of the damaged segment', async () => {
    const { opener, body } = await sealed(plain);
    const bad = flipped(body, 60);
    const recover = (from: number, to: number): AsyncIterable<Uint8Array> => streamOf(bad.subarray(from, to));
    for (const options of [whole, { ...whole, recover }]) {
      const got: Uint8Array[] = [];
      const reading = (async () => {
        for await (const piece of openSegments(streamOf(bad), opener, options)) got.push(piece);
      })();
      await expect(reading).rejects.toMatchObject({ code: 'data-damaged' });
      expect(Buffer.concat(got)).toEqual(plain.subarray(0, 8));
    }
  });

  it('does not take a final segment for one of another length', async () => {
    const { opener, body } = await sealed(plain);
    const lying: SegmentOpener = { parameters: small, openSegment: () => new Uint8Array(4) };
    const recover = (): AsyncIterable<Uint8Array> => streamOf(body.subarray(80));
    const options = { sealedSize: 118, firstSegment: 2, lastSegment: 2, recover };
    await expect(opened(streamOf(body.subarray(80), new Uint8Array(2)), opener, options)).rejects.toMatchObject({
      code: 'data-damaged',
    });
    const never: SegmentOpener = {
      ...lying,
      openSegment: (bytes) => (bytes.length === 36 ? new Uint8Array(4) : opener.openSegment(bytes, 2, true)),
    };
    await expect(opened(streamOf(body.subarray(80), new Uint8Array(2)), never, options)).rejects.toMatchObject({
      code: 'data-damaged',
    });
  });

  it('tells damage when the chunks end early or do not end', async () => {
    const { opener, body } = await sealed(plain);
    for (const end of [0, 40, 79, 115]) {
      await expect(opened(streamOf(body.subarray(0, end)), opener, whole)).rejects.toMatchObject({ code: 'data-damaged' });
    }
    await expect(opened(streamOf(body, new Uint8Array(1)), opener, whole)).rejects.toMatchObject({ code: 'data-damaged' });
    await expect(opened(streamOf(Buffer.concat([body, body])), opener, whole)).rejects.toMatchObject({ code: 'data-damaged' });
  });

  it('passes errors on that are not about the seal', async () => {
    const { opener, body } = await sealed(plain);
    const broken: SegmentOpener = {
      parameters: small,
      openSegment: () => {
        throw new TypeError('a bug');
      },
    };
    await expect(opened(streamOf(body), broken, whole)).rejects.toThrow('a bug');

    const recover = async function* (): AsyncGenerator<Uint8Array> {
      throw new RangeError('unreachable');
    };
    await expect(opened(streamOf(flipped(body, 5)), opener, { ...whole, recover })).rejects.toThrow('unreachable');
  });

  it('refuses ranges that the body does not have', async () => {
    const { opener, body } = await sealed(plain);
    for (const wrong of [{ lastSegment: 3 }, { firstSegment: 2, lastSegment: 1 }, { sealedSize: 10 }, { firstSegment: -1 }]) {
      await expect(opened(streamOf(body), opener, { ...whole, ...wrong })).rejects.toThrow(RangeError);
    }
  });

  it('closes the chunks when the reader stops', async () => {
    const { opener, body } = await sealed(plain);
    let closed = false;
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* streamOf(body.subarray(0, 50), body.subarray(50));
      } finally {
        closed = true;
      }
    };
    for await (const piece of openSegments(chunks(), opener, whole)) {
      expect(Buffer.from(piece)).toEqual(plain.subarray(0, 8));
      break;
    }
    expect(closed).toBe(true);
  });
});

describe('sealStream', () => {
  it.each([1, 3, 7, 8, 9, 100])(
    'gives back each piece when all of it is sealed, and not before: pieces of %d bytes',
    async (bytes) => {
      const plain = randomBytes(300);
      const pieces = Array.from({ length: Math.ceil(300 / bytes) }, (_, at) =>
        Uint8Array.from(plain.subarray(at * bytes, (at + 1) * bytes)),
      );
      const back: Uint8Array[] = [];
      const sealer = new NodeFloeSealer(key, aad, small);
      // What is overwritten too early is sealed as zeroes.
      const onSealed = (piece: Uint8Array): void => void back.push(piece.fill(0));
      const body = Buffer.concat(await collect(sealStream(streamOf(...pieces), sealer, onSealed)));
      expect(back).toEqual(pieces);
      const opener = new NodeFloeOpener(key, sealer.header, aad, small);
      const whole = { sealedSize: body.length, firstSegment: 0, lastSegment: Math.ceil(300 / 8) - 1 };
      expect((await opened(streamOf(body), opener, whole)).equals(plain)).toBe(true);
    },
  );

  it('holds no more pieces than one segment needs', async () => {
    const sealer = new NodeFloeSealer(key, aad, small);
    let given = 0;
    let back = 0;
    let mostHeld = 0;
    const plain = async function* (): AsyncGenerator<Uint8Array> {
      for (; given < 50; given += 1) {
        mostHeld = Math.max(mostHeld, given - back);
        yield await Promise.resolve(new Uint8Array(8));
      }
    };
    await collect(sealStream(plain(), sealer, () => void (back += 1)));
    expect([mostHeld, back]).toEqual([1, 50]);
  });
});
