import { join } from 'node:path';

/** The directory under a node's folder that holds the packs. */
export const PACKS_DIRECTORY = 'packs';
/** Takes up space that is given back when a deletion finds none. */
export const BALLAST_FILE = 'ballast';

const PACK_NAME = /^([0-9a-f]{8})\.pack$/;
const SIDECAR_NAME = /^([0-9a-f]{8})\.index(\.temp)?$/;

export function packPath(packs: string, seq: number): string {
  return join(packs, `${hexOf(seq)}.pack`);
}

export function sidecarPath(packs: string, seq: number): string {
  return join(packs, `${hexOf(seq)}.index`);
}

/** The number of the pack that has this name; undefined if it is not the name of one. */
export function seqOfPack(name: string): number | undefined {
  const match = PACK_NAME.exec(name);
  return match === null ? undefined : Number.parseInt(match[1] as string, 16);
}

/** True for the name of a sidecar that was not finished, or that outlived its pack: a crash leaves them. */
export function isLeftSidecar(name: string, seqs: ReadonlySet<number>): boolean {
  const match = SIDECAR_NAME.exec(name);
  return match !== null && (match[2] !== undefined || !seqs.has(Number.parseInt(match[1] as string, 16)));
}

function hexOf(seq: number): string {
  return seq.toString(16).padStart(8, '0');
}
