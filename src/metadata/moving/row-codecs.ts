import { ByteWriter } from '../../common/byte-codec.js';
import { idToBytes } from '../../common/ids.js';
import { writeManifest, writeNumbers } from '../manifest-codec.js';
import type { RowKind, RowTypes } from './index-transfer.js';

interface RowCodec<Row> {
  /** Orders the rows, by its bytes. */
  readonly key: (row: Row) => Uint8Array;
  /** Equal if and only if the rows say the same. */
  readonly bytes: (row: Row) => Uint8Array;
}

const NODE_BYTES = 4;
const PAGE_BYTES = 4;
const STRIPE_BYTES = 8;

function bigEndian(...numbers: readonly (readonly [value: number, bytes: number])[]): Uint8Array {
  return Buffer.concat(
    numbers.map(([value, bytes]) => {
      const part = Buffer.alloc(STRIPE_BYTES);
      part.writeBigUInt64BE(BigInt(value));
      return part.subarray(STRIPE_BYTES - bytes);
    }),
  );
}

/** Of what may be missing: 0, or 1 more than it is. */
const optional = (value: number | undefined): number => (value === undefined ? 0 : value + 1);

/** The rows in the form in which two engines are compared. It is not kept anywhere. */
export const ROW_CODECS: { readonly [Kind in RowKind]: RowCodec<RowTypes[Kind]> } = {
  files: {
    key: ({ file }) => idToBytes(file.id),
    bytes: ({ file, manifest, pages }) => {
      const { id, owner, name, contentType, size, versionId, createdAt, updatedAt, revision } = file;
      const writer = new ByteWriter().fixed(idToBytes(id)).text(owner).text(name).text(contentType).fixed(idToBytes(versionId));
      for (const number of [size, createdAt, updatedAt, revision, pages]) writer.number(number);
      return writeManifest(writer.fixed(idToBytes(manifest.versionId)), manifest).finish();
    },
  },
  layouts: {
    key: ({ versionId, page }) => Buffer.concat([idToBytes(versionId), bigEndian([page, PAGE_BYTES])]),
    bytes: ({ versionId, page, bytes, revision }) =>
      new ByteWriter().fixed(idToBytes(versionId)).number(page).number(revision).bytes(bytes).finish(),
  },
  garbage: {
    key: ({ versionId }) => idToBytes(versionId),
    bytes: ({ versionId, nodes, pages }) =>
      writeNumbers(new ByteWriter().fixed(idToBytes(versionId)).number(pages), nodes).finish(),
  },
  tombstones: {
    key: ({ fileId }) => idToBytes(fileId),
    bytes: ({ fileId, revision, kekId, nodes }) =>
      writeNumbers(new ByteWriter().fixed(idToBytes(fileId)).number(revision).text(kekId), nodes).finish(),
  },
  damage: { key: damageKey, bytes: damageKey },
  nodes: {
    key: ({ node }) => bigEndian([node, NODE_BYTES]),
    bytes: ({ node, swept, proven }) => new ByteWriter().number(node).number(swept).number(optional(proven)).finish(),
  },
  owners: {
    key: ({ owner }) => Buffer.from(owner, 'utf8'),
    bytes: ({ owner, files, bytes }) => new ByteWriter().text(owner).number(files).number(bytes).finish(),
  },
  usage: {
    key: ({ node }) => bigEndian([node, NODE_BYTES]),
    bytes: ({ node, shards, bytes }) => new ByteWriter().number(node).number(shards).number(bytes).finish(),
  },
  state: {
    key: () => new Uint8Array(0),
    bytes: ({ ceiling, settled, scrub }) => {
      const writer = new ByteWriter().number(ceiling).number(settled).number(optional(scrub?.startedAt));
      return (scrub === undefined ? writer : writeNumbers(writer.fixed(idToBytes(scrub.after)), scrub.unproven)).finish();
    },
  },
};

function damageKey({ node, shard }: RowTypes['damage']): Uint8Array {
  const place = bigEndian([shard.stripe, STRIPE_BYTES], [shard.index, NODE_BYTES], [node, NODE_BYTES]);
  return Buffer.concat([idToBytes(shard.versionId), place]);
}
