import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ByteWriter } from '../common/byte-codec.js';
import { newId, type FileId } from '../common/ids.js';
import { decodeNode, encodeNode } from './stored-node.js';

const record = Uint8Array.from(randomBytes(300));
const content = {
  revision: 1,
  revisionId: newId<FileId>(),
  manifest: Uint8Array.from(randomBytes(200)),
  manifestHash: Uint8Array.from(randomBytes(32)),
  isInlined: true,
};
const kept = { bytes: Uint8Array.from(randomBytes(4096)), createdAt: 1_800_000_000_000 };

/** The first format, as it was written. */
function firstFormat(version: number): Uint8Array {
  const writer = new ByteWriter().number(version).bytes(record).number(1).number(content.revision).text(content.revisionId);
  return writer.bytes(content.manifest).fixed(content.manifestHash).number(1).finish();
}

describe('what is kept of a node', () => {
  it.each([
    ['of a folder', { record, content: undefined }],
    ['of a file', { record, content }],
    ['of a file with its content in it', { record, content: { ...content, kept } }],
    ['of a file with a long manifest', { record, content: { ...content, manifest: undefined } }],
  ])('reads back as it was: %s', (_what, node) => {
    expect(decodeNode(encodeNode(node))).toEqual(node);
  });

  it('is read in its first format, and written in that if it needs no other one', () => {
    expect(decodeNode(firstFormat(1))).toEqual({ record, content });
    expect(encodeNode({ record, content })).toEqual(firstFormat(1));
  });

  it('is refused if it is of another format, ends early or goes on', () => {
    const whole = encodeNode({ record, content: { ...content, kept } });
    for (const bytes of [firstFormat(0), firstFormat(3), whole.subarray(0, -1), Buffer.concat([whole, Buffer.of(0)])])
      expect(() => decodeNode(bytes)).toThrow('data-damaged');
  });
});
