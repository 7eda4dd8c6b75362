import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterId, FileId, newId as NewId, OwnerId, VersionId } from '../src/common/ids.ts';
import type { LmdbMetadataStore as Embedded } from '../src/metadata/embedded/lmdb.metadata-store.ts';
import type { ImportedRecord, MetadataStore } from '../src/metadata/metadata-store.ts';
import { get, idOf, list, put } from './requests.ts';
import { runLoad } from './load.ts';
import { restartProduct, startProduct, type Subject } from './subject.ts';

const dist = new URL('../dist/', import.meta.url);
const of = <Module>(file: string): Promise<Module> => import(new URL(file, dist).href) as Promise<Module>;

export const PAGE = 1000;
/** Bytes of a page, about: a record is 310 bytes. */
export const PAGE_BYTES = 310 * PAGE;
const FILE_BYTES = 4096;
const STORE = 'store' as OwnerId;
const BATCH = 1000;
/** Places in the list from which pages are read. */
const CURSORS = 32;
const NEVER = new AbortController().signal;

export interface FilledStore {
  readonly server: Subject;
  /** Where whole pages begin, all over the list, as the API writes it; undefined is the beginning. */
  readonly cursors: readonly (string | undefined)[];
}

/**
 * A server with so many files in its index. One is put; the others are written into the index alone, as copies of it under other ids and names, so
 * that a million takes seconds. Their bodies are nowhere: it is for lists.
 */
export async function filledStore(base: string, files: number): Promise<FilledStore> {
  const first = await startProduct(base);
  let server = first;
  try {
    let id = '';
    const one = { clients: 1, operations: 1 };
    await runLoad(
      first.port,
      one,
      () => put(Buffer.alloc(FILE_BYTES)),
      (answer) => (id = idOf(answer)),
    );
    await first.stop();
    const cursors = await fillIndex(first.storage, id as FileId, files);
    server = await restartProduct(first.directory);
    await runLoad(server.port, one, () => get(id));
    await requireWhole(server, cursors);
    return { server, cursors };
  } catch (error) {
    await server.end();
    throw error;
  }
}

async function fillIndex(storage: string, id: FileId, files: number): Promise<FilledStore['cursors']> {
  const { newId } = await of<{ newId: typeof NewId }>('common/ids.js');
  const { LmdbMetadataStore } = await of<{ LmdbMetadataStore: typeof Embedded }>('metadata/embedded/lmdb.metadata-store.js');
  const { clusterId } = JSON.parse(readFileSync(join(storage, 'cluster.json'), 'utf8')) as { clusterId: ClusterId };
  const index = await LmdbMetadataStore.open({ directory: join(storage, 'index'), clusterId, mayCreate: false });
  try {
    const stored = await index.find(id, NEVER);
    if (stored === undefined) throw new RangeError('the index has not what was put');
    const layout = (await index.readLayout(stored.manifest.versionId, 0, NEVER)) ?? new Uint8Array();
    const copy = (at: number): ImportedRecord => {
      const [fileId, versionId] = [newId<FileId>(), newId<VersionId>()];
      return {
        kind: 'file',
        file: { ...stored.file, id: fileId, name: nameOf(at), versionId },
        manifest: { ...stored.manifest, fileId, versionId },
        lastPage: { page: 0, bytes: layout },
      };
    };
    for (let from = 0; from < files; from += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, files - from) }, (_, at) => copy(from + at));
      await index.importRecords(batch, NEVER);
    }
    return await cursorsOf(index, files);
  } finally {
    await index.close();
  }
}

async function cursorsOf(index: MetadataStore, files: number): Promise<FilledStore['cursors']> {
  if (files <= PAGE) return [undefined];
  const cursors: string[] = [];
  for (let at = 0; at < CURSORS; at += 1) {
    const prefix = nameOf(Math.floor(((files - PAGE) * at) / CURSORS)).slice(0, -1);
    const { nextCursor } = await index.list({ owner: STORE, order: 'name', prefix, limit: 1 }, NEVER);
    if (nextCursor !== undefined) cursors.push(Buffer.from(nextCursor).toString('base64url'));
  }
  return cursors;
}

async function requireWhole({ port }: Subject, [cursor]: FilledStore['cursors']): Promise<void> {
  const [, path = ''] = list(PAGE, cursor).head.split(' ');
  const { items } = (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as { items: readonly unknown[] };
  if (items.length !== PAGE) throw new RangeError(`a page has ${items.length} files`);
}

function nameOf(at: number): string {
  return `file ${String(at).padStart(9, '0')}`;
}
