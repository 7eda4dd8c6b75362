import { DomainError } from '../common/errors.js';
import type { VersionId } from '../common/ids.js';
import type { LayoutPage, Manifest, MetadataStore } from '../metadata/metadata-store.js';
import type { NodeRecord } from '../nodes/storage-node.js';
import { layoutPages, LayoutView, STRIPES_PER_PAGE } from './layout.js';

/** Where the pages of a layout come from. */
export type LayoutSource = Pick<MetadataStore, 'readLayout'>;

/** Reads the layout of one version in pieces; keeps the page last used, since stripes are asked for in order. */
export class LayoutReader {
  private current: { readonly page: number; readonly view: Promise<LayoutView | undefined> } | undefined;

  constructor(
    private readonly source: LayoutSource,
    private readonly versionId: VersionId,
  ) {}

  /** The nodes of the shards of a stripe, by index. Throws as {@link rows}. */
  async nodes(stripe: number, signal: AbortSignal): Promise<readonly number[]> {
    const [row] = await this.rows([stripe], signal);
    return row as readonly number[];
  }

  /** The same of many stripes. Throws `data-damaged` if the index has lost them. */
  async rows(stripes: readonly number[], signal: AbortSignal): Promise<readonly (readonly number[])[]> {
    const rows: (readonly number[])[] = [];
    let at: { readonly page: number; readonly view: LayoutView | undefined } | undefined;
    for (const stripe of stripes) {
      const page = Math.floor(stripe / STRIPES_PER_PAGE);
      if (at?.page !== page) at = { page, view: await this.page(page, signal) };
      const inPage = stripe % STRIPES_PER_PAGE;
      if (at.view === undefined || inPage >= at.view.stripes)
        throw new DomainError('data-damaged', `the layout of stripe ${stripe} is missing from the index`);
      rows.push(at.view.nodes(inPage));
    }
    return rows;
  }

  /** A page by its number; undefined behind the last one. */
  async page(page: number, signal: AbortSignal): Promise<LayoutView | undefined> {
    if (this.current?.page !== page) this.current = { page, view: this.load(page, signal) };
    return this.current.view;
  }

  /** What was read so far is not to be relied on any more. */
  forget(): void {
    this.current = undefined;
  }

  private async load(page: number, signal: AbortSignal): Promise<LayoutView | undefined> {
    const bytes = await this.source.readLayout(this.versionId, page, signal);
    return bytes === undefined ? undefined : new LayoutView(bytes);
  }
}

/** The page of a layout that goes with the record of its version. @throws DomainError `data-damaged` if the index has lost it */
export async function readLastPage(source: LayoutSource, manifest: Manifest, signal: AbortSignal): Promise<LayoutPage> {
  const page = layoutPages(manifest) - 1;
  const bytes = await source.readLayout(manifest.versionId, page, signal);
  if (bytes === undefined) throw new DomainError('data-damaged', 'the layout is missing from the index');
  return { page, bytes };
}

/** How the pages of a layout before the last one are to stand on the nodes. */
export interface PageRecords {
  readonly versionId: VersionId;
  /** Number of the pages: the last page of the layout is not one of them. */
  readonly pages: number;
  readonly seal: (page: LayoutPage, revision: number) => NodeRecord;
  /** Which pages, and with which revision; absent: all, each with the one it has. */
  readonly revisionOf?: (page: number) => number | undefined;
}

/** Pages of a layout, out of the index, as records for the nodes. @throws DomainError `data-damaged` */
export async function* layoutRecords(
  metadata: MetadataStore,
  { versionId, pages, seal, revisionOf }: PageRecords,
  signal: AbortSignal,
): AsyncGenerator<NodeRecord, void, undefined> {
  for (let page = 0; page < pages; page += 1) {
    const revision = revisionOf === undefined ? await metadata.layoutRevision(versionId, page, signal) : revisionOf(page);
    if (revision === undefined) continue;
    const bytes = await metadata.readLayout(versionId, page, signal);
    if (bytes === undefined) throw new DomainError('data-damaged', `page ${page} of a layout is missing from the index`);
    yield seal({ page, bytes }, revision);
  }
}
