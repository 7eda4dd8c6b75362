import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '../common/durable-file.js';
import { DomainError } from '../common/errors.js';
import { makeFolder } from '../common/make-folder.js';
import type { NodeHarvest } from './index-rebuild.js';

const NAME = 'rebuild.json';
const FORMAT = 2;

/** A node as it was when all its records had been read. */
interface Entry extends NodeHarvest {
  /** If it has a higher one now, it is to be read again. */
  readonly newestRevision: number;
}

interface Content {
  /** The highest revision on any of the nodes when the rebuild began. */
  readonly newest: number;
  readonly nodes: readonly Entry[];
}

/** Which nodes a rebuild has read to their ends: a small file beside the index that it fills. */
export class RebuildJournal {
  private constructor(
    private readonly path: string,
    private content: Content,
  ) {}

  /**
   * What an interrupted rebuild left, if nothing was changed since: else it is thrown away with the index beside it, which may hold files that
   * were deleted in between and of whose deletion no node knows any more. Damage is no harm: then everything is read once more.
   * @param newest the highest revision on any of the nodes; each change gets a higher one, and one of the nodes that can be read has it
   * @throws DomainError `storage-unusable`
   */
  static open(directory: string, newest: number): RebuildJournal {
    const path = join(directory, NAME);
    try {
      const left = existsSync(path) ? parse(readFileSync(path, 'utf8')) : undefined;
      if (left?.newest === newest) return new RebuildJournal(path, left);
      makeFolder(directory);
      for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true });
      const journal = new RebuildJournal(path, { newest, nodes: [] });
      journal.write();
      return journal;
    } catch (cause) {
      throw new DomainError('storage-unusable', `${directory} cannot be used: ${(cause as Error).message}`, { cause });
    }
  }

  /** What the node had to say, if it was read in the state in which it is now. */
  harvestOf(node: number, newestRevision: number): NodeHarvest | undefined {
    return this.content.nodes.find((entry) => entry.node === node && entry.newestRevision === newestRevision);
  }

  add(harvest: NodeHarvest, newestRevision: number): void {
    const others = this.content.nodes.filter(({ node }) => node !== harvest.node);
    this.content = { ...this.content, nodes: [...others, { ...harvest, newestRevision }] };
    this.write();
  }

  private write(): void {
    writeFileDurably(this.path, `${JSON.stringify({ format: FORMAT, ...this.content }, null, 2)}\n`);
  }
}

function parse(text: string): Content | undefined {
  try {
    const { format, newest, nodes } = JSON.parse(text) as { format?: unknown; newest?: unknown; nodes?: unknown };
    const isEntry = (entry: Partial<Entry>): boolean =>
      [entry.node, entry.records, entry.damaged, entry.retired, entry.newestRevision].every(Number.isSafeInteger);
    if (format !== FORMAT || !Number.isSafeInteger(newest) || !Array.isArray(nodes) || !nodes.every(isEntry)) return undefined;
    return { newest: newest as number, nodes: nodes as Entry[] };
  } catch {
    return undefined;
  }
}
