import { sha256, type Bytes } from './bytes.js';
import { readNodeHead } from './drive-record.js';
import { readManifestHead } from './revision-manifest.js';
import type { SeenKind, SeenMemory } from './seen-memory.js';
import type { Seen } from './succession.js';
import { readWritersHead } from './writers.js';

/** What was written, and what the server said it has. */
export interface Acknowledged {
  readonly record?: Bytes;
  readonly manifest?: Bytes | undefined;
  readonly writers?: Bytes;
}

/**
 * Remembers what the server has acknowledged as if it had been shown: it cannot answer with what was there before, nor show that later, as if a change
 * that the user was told of had never been made.
 * @throws SdkError `rolled-back` if it does not follow from what was seen
 */
export async function meetAcknowledged(seen: SeenMemory, { record, manifest, writers }: Acknowledged): Promise<void> {
  if (record !== undefined) await meetNewer(seen, 'node', record, readNodeHead(record));
  if (manifest !== undefined) await meetNewer(seen, 'content', manifest, readManifestHead(manifest));
  if (writers !== undefined) {
    const { nodeId, revision, previousHash } = readWritersHead(writers);
    await meetNewer(seen, 'writers', writers, { nodeId, revision, previousHash });
  }
}

/** Others may have gone on already, and that may have been seen while the answer was on its way. */
async function meetNewer(
  seen: SeenMemory,
  kind: SeenKind,
  bytes: Bytes,
  state: Omit<Seen, 'hash'> & { readonly nodeId: string; readonly previousHash: Bytes },
): Promise<void> {
  const hash = await sha256(bytes);
  const known = seen.get(kind, state.nodeId);
  if (known === undefined || known.revision < state.revision) seen.meet(kind, state.nodeId, { ...state, hash });
}
