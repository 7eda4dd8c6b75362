import type { Bytes } from './bytes.js';
import type { SeenMemory } from './seen-memory.js';
import { openWritersList, type Owner, type WritersList } from './writers.js';

export type OpenedList = WritersList & { readonly hash: Bytes };

/** @throws SdkError `not-yours`, `damaged`, `rolled-back` for one that is older than what was shown before */
export async function openList(
  bytes: Uint8Array,
  of: { readonly nodeId: string; readonly owner: Owner },
  seen: SeenMemory,
): Promise<OpenedList> {
  const list = await openWritersList(bytes, of);
  seen.meet('writers', of.nodeId, list);
  return list;
}
