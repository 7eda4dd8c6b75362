import { describe, expect, it } from '@jest/globals';
import { createSecretKey } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FLOE, HEADER_BYTES, type FloeParameters } from './floe-format.js';
import { plainSizeOf, segmentCount, segmentSpan } from './floe-sizes.js';
import { NodeFloeOpener } from './node-floe-opener.js';
import { NodeFloeSealer } from './node-floe-sealer.js';
import type { SegmentOpener } from './open-stream.js';
import { importWebFloeKey } from './web-floe-keys.js';
import { WebFloeOpener } from './web-floe-opener.js';
import { WebFloeSealer } from './web-floe-sealer.js';

const DIRECTORY = join(__dirname, '../../test/vectors/floe');
const NAMES = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith('_ct.txt'))
  .map((name) => name.slice(0, -'_ct.txt'.length));
const RAW_KEY = new Uint8Array(32);
const AAD = new TextEncoder().encode('This is AAD');

function vector(name: string): { parameters: FloeParameters; plain: Buffer; header: Buffer; body: Buffer } {
  const read = (kind: string): Buffer => Buffer.from(readFileSync(join(DIRECTORY, `${name}_${kind}.txt`), 'utf8').trim(), 'hex');
  const sealed = read('ct');
  const parameters = { ...FLOE, segmentBytes: sealed.readUInt32BE(2), rotationSegments: name.includes('rotation') ? 4 : 2 ** 20 };
  return { parameters, plain: read('pt'), header: sealed.subarray(0, HEADER_BYTES), body: sealed.subarray(HEADER_BYTES) };
}

async function openAll(opener: SegmentOpener, body: Uint8Array): Promise<Buffer> {
  const plain: Uint8Array[] = [];
  for (let position = 0; position < segmentCount(body.length, opener.parameters); position++) {
    const { from, to, final } = segmentSpan(position, body.length, opener.parameters);
    plain.push(await opener.openSegment(body.subarray(from, to), position, final));
  }
  return Buffer.concat(plain);
}

describe('the known answers of the FLOE specification', () => {
  const key = createSecretKey(RAW_KEY);

  it('are all 17 there', () => expect(NAMES).toHaveLength(17));

  it.each(NAMES)('%s opens with node:crypto', async (name) => {
    const { parameters, plain, header, body } = vector(name);
    expect(await openAll(new NodeFloeOpener(key, header, AAD, parameters), body)).toEqual(plain);
    expect(plainSizeOf(body.length, parameters)).toBe(plain.length);
  });

  it.each(NAMES)('%s opens with WebCrypto', async (name) => {
    const { parameters, plain, header, body } = vector(name);
    const opener = await WebFloeOpener.create(await importWebFloeKey(RAW_KEY), header, AAD, parameters);
    expect(await openAll(opener, body)).toEqual(plain);
  });

  it.each(NAMES)('%s: its plaintext, sealed by one back end, opens with the other', async (name) => {
    const { parameters, plain } = vector(name);
    const webKey = await importWebFloeKey(RAW_KEY);

    const node = new NodeFloeSealer(key, AAD, parameters);
    const ofNode = Buffer.concat([...node.push(plain), ...node.finish()]);
    expect(await openAll(await WebFloeOpener.create(webKey, node.header, AAD, parameters), ofNode)).toEqual(plain);

    const web = await WebFloeSealer.create(webKey, AAD, parameters);
    const ofWeb = Buffer.concat([...(await web.push(plain)), ...(await web.finish())]);
    expect(await openAll(new NodeFloeOpener(key, web.header, AAD, parameters), ofWeb)).toEqual(plain);
  });

  it('do not open when keys rotate at another pace', async () => {
    const { parameters, header, body } = vector('go_rotation');
    const opener = new NodeFloeOpener(key, header, AAD, { ...parameters, rotationSegments: 8 });
    await expect(openAll(opener, body)).rejects.toThrow('do not authenticate');
  });
});
