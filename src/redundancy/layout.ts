import type { LayoutPage, Manifest } from '../metadata/metadata-store.js';
import type { ShardId } from '../nodes/storage-node.js';
import type { StripeShape } from './stripe-codec.js';

/** Stripes on one page of a layout; all pages but the last are full. */
export const STRIPES_PER_PAGE = 16_384;

const FORMAT = 1;
const HEADER_BYTES = 8;

/**
 * The nodes of the stripes of one page, as compact as it can be read in place (docs/format.md):
 * `format 1 | k 1 | m 1 | bytes of a node number 1 | stripes 4 | stripes × (k + m) node numbers`, big endian.
 */
export class LayoutView {
  readonly shape: StripeShape;
  readonly stripes: number;
  private readonly nodeBytes: number;
  private readonly view: DataView;

  /** @throws RangeError if the bytes are no page: a damaged index, or a newer format. */
  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEADER_BYTES || this.view.getUint8(0) !== FORMAT)
      throw new RangeError('not a layout page of a known format');
    this.shape = { k: this.view.getUint8(1), m: this.view.getUint8(2) };
    this.nodeBytes = this.view.getUint8(3);
    this.stripes = this.view.getUint32(4);
    if (bytes.length !== HEADER_BYTES + this.stripes * this.width * this.nodeBytes)
      throw new RangeError('a layout page of the wrong length');
  }

  /** Shards of a stripe. */
  get width(): number {
    return this.shape.k + this.shape.m;
  }

  /** The nodes of the shards of a stripe, by their index; `stripe` counts from the beginning of the page. */
  nodes(stripe: number): number[] {
    if (stripe >= this.stripes) throw new RangeError(`the page has ${this.stripes} stripes, not ${stripe + 1}`);
    const { width, nodeBytes, view } = this;
    const start = HEADER_BYTES + stripe * width * nodeBytes;
    const nodes: number[] = [];
    for (let offset = start; offset < start + width * nodeBytes; offset += nodeBytes)
      nodes.push(nodeBytes === 1 ? view.getUint8(offset) : view.getUint16(offset));
    return nodes;
  }
}

/** Encodes the nodes of at most {@link STRIPES_PER_PAGE} stripes. */
export function encodeLayout(rows: readonly (readonly number[])[], { k, m }: StripeShape): Uint8Array {
  const nodes = rows.flat();
  const nodeBytes = nodes.every((node) => node < 256) ? 1 : 2;
  const bytes = new Uint8Array(HEADER_BYTES + nodes.length * nodeBytes);
  const view = new DataView(bytes.buffer);
  bytes.set([FORMAT, k, m, nodeBytes]);
  view.setUint32(4, rows.length);
  nodes.forEach((node, position) => {
    const offset = HEADER_BYTES + position * nodeBytes;
    if (nodeBytes === 1) view.setUint8(offset, node);
    else view.setUint16(offset, node);
  });
  return bytes;
}

/** How many pages the layout of a version has. */
export function layoutPages({ sealedSize, sliceBytes, k }: Manifest): number {
  return Math.ceil(sealedSize / sliceBytes / k / STRIPES_PER_PAGE);
}

/** The shards of one page of a layout that lie on a node: one of each stripe at the most. */
export function shardsOn(
  node: number,
  view: LayoutView,
  { versionId, page }: Pick<ShardId, 'versionId'> & Pick<LayoutPage, 'page'>,
): ShardId[] {
  const ids: ShardId[] = [];
  for (let inPage = 0; inPage < view.stripes; inPage += 1) {
    const index = view.nodes(inPage).indexOf(node);
    if (index >= 0) ids.push({ versionId, stripe: page * STRIPES_PER_PAGE + inPage, index });
  }
  return ids;
}

/** The layout of a version that is one stripe. */
export function singlePage(nodes: readonly number[], shape: StripeShape): LayoutPage {
  return { page: 0, bytes: encodeLayout([nodes], shape) };
}

/** Collects the nodes of a version's stripes in their order and hands out full pages, so that memory does not grow with the file. */
export class LayoutBuilder {
  private rows: (readonly number[])[] = [];
  private page = 0;

  constructor(private readonly shape: StripeShape) {}

  /** Adds a stripe; returns the page that this made full, if more follow. */
  add(nodes: readonly number[]): LayoutPage | undefined {
    const full = this.rows.length === STRIPES_PER_PAGE ? this.lastPage() : undefined;
    if (full !== undefined) {
      this.rows = [];
      this.page += 1;
    }
    this.rows.push(nodes);
    return full;
  }

  /** The page that is not handed out yet. */
  lastPage(): LayoutPage {
    return { page: this.page, bytes: encodeLayout(this.rows, this.shape) };
  }
}
