import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '../common/durable-file.js';
import type { NodeHarvest } from './index-rebuild.js';

const NAME = 'rebuild.json';
const FORMAT = 1;

/** A node as it was when all its records had been read. */
interface Entry extends NodeHarvest {
  /** If it has a higher one now, it is to be read again. */
  readonly newestRevision: number;
}

/** Which nodes a rebuild has read to their ends: a small file beside the index that it fills. */
export class RebuildJournal {
  private constructor(
    private readonly path: string,
    private entries: readonly Entry[],
  ) {}

  /** What an interrupted rebuild left, or nothing. Damage is no harm: then everything is read once more. */
  static open(directory: string): RebuildJournal {
    const path = join(directory, NAME);
    return new RebuildJournal(path, existsSync(path) ? parse(readFileSync(path, 'utf8')) : []);
  }

  /** What the node had to say, if it was read in the state in which it is now. */
  harvestOf(node: number, newestRevision: number): NodeHarvest | undefined {
    return this.entries.find((entry) => entry.node === node && entry.newestRevision === newestRevision);
  }

  add(harvest: NodeHarvest, newestRevision: number): void {
    this.entries = [...this.entries.filter(({ node }) => node !== harvest.node), { ...harvest, newestRevision }];
    writeFileDurably(this.path, `${JSON.stringify({ format: FORMAT, nodes: this.entries }, null, 2)}\n`);
  }
}

function parse(text: string): readonly Entry[] {
  try {
    const { format, nodes } = JSON.parse(text) as { format?: unknown; nodes?: unknown };
    const isEntry = (entry: Partial<Entry>): boolean =>
      [entry.node, entry.records, entry.damaged, entry.retired, entry.newestRevision].every(Number.isSafeInteger);
    return format === FORMAT && Array.isArray(nodes) && nodes.every(isEntry) ? (nodes as Entry[]) : [];
  } catch {
    return [];
  }
}
