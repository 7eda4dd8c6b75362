import type { StoredFile } from '../metadata/metadata-store.js';
import type { StuckFiles } from '../nodes/store-view.js';

const REASON = 'a page of its layout is lost: nobody can tell where that part of it lies';

/** What one walk found that is stuck: in all, and on each node. */
export class StuckList {
  private all: StuckFiles | undefined;
  private readonly byNode = new Map<number, StuckFiles>();

  add({ file, manifest }: StoredFile): void {
    const more = (before: StuckFiles | undefined): StuckFiles => ({
      files: (before?.files ?? 0) + 1,
      fileId: before?.fileId ?? file.id,
      reason: REASON,
    });
    this.all = more(this.all);
    const nodes = new Set([...manifest.usage.map(({ node }) => node), ...manifest.recordNodes]);
    for (const node of nodes) this.byNode.set(node, more(this.byNode.get(node)));
  }

  get files(): StuckFiles | undefined {
    return this.all;
  }

  on(node: number): StuckFiles | undefined {
    return this.byNode.get(node);
  }
}
