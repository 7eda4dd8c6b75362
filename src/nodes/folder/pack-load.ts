import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeError } from '../storage-node.js';
import { removeQuietly, writeWhole } from './durable-files.js';
import type { FileCalls } from './file-calls.js';
import type { NodeIdentity } from './node-identity.js';
import { PackDescriptors } from './pack-descriptors.js';
import { EntryHeader, PACK_HEADER_BYTES, decodePackHeader, packSeed, type PackHeader } from './pack-format.js';
import { PackIndex, type PackInfo } from './pack-index.js';
import { isLeftSidecar, packPath, seqOfPack, sidecarPath } from './pack-names.js';
import { scanPack } from './pack-scan.js';
import { SidecarRows, eachRow, readSidecar } from './pack-sidecar.js';

export interface PackFolder {
  /** The directory of the packs. */
  readonly packs: string;
  /** The directory of the node. */
  readonly directory: string;
  readonly identity: NodeIdentity;
  readonly files: FileCalls;
}

/** What an opening found in the packs. */
export interface LoadedPacks {
  readonly index: PackIndex;
  /** The least `packBelow` in the headers of the packs; undefined if there are none. */
  readonly belowLeast: number | undefined;
  /** The number of the next pack. */
  readonly nextSeq: number;
  readonly scannedPacks: number;
  /** Packs whose header is damaged; their entries are used all the same, because each proves where it belongs. */
  readonly damagedHeaders: readonly number[];
  /** Bytes that belong to no intact entry. */
  readonly strayBytes: number;
}

const ROWS_PER_TURN = 1024;

/**
 * Takes in all packs of a folder, in the order of their numbers. Throws `rejected`, before anything is changed, if one is of another
 * node or of a newer program. With `mayWrite` it removes what a crash left and writes the sidecars that are missing.
 */
export async function loadPacks(folder: PackFolder, descriptors: PackDescriptors, mayWrite: boolean): Promise<LoadedPacks> {
  const names = await readdir(folder.packs);
  const seqs = names.map(seqOfPack).filter((seq) => seq !== undefined);
  seqs.sort((a, b) => a - b);
  const loading = new Loading(folder, descriptors, mayWrite);
  for (const seq of seqs) await loading.readHeader(seq);
  const known = new Set(seqs);
  const left = mayWrite ? names.filter((name) => isLeftSidecar(name, known)) : [];
  for (const name of left) await removeQuietly(folder.files, join(folder.packs, name));
  for (const seq of seqs) await loading.takeIn(seq);
  return loading.result();
}

class Loading {
  private readonly index = new PackIndex();
  private readonly header = new EntryHeader();
  private readonly headers = new Map<number, PackHeader>();
  private readonly damagedHeaders: number[] = [];
  private nextSeq = 1;
  private scannedPacks = 0;
  private strayBytes = 0;

  constructor(
    private readonly folder: PackFolder,
    private readonly descriptors: PackDescriptors,
    private readonly mayWrite: boolean,
  ) {}

  async readHeader(seq: number): Promise<void> {
    this.nextSeq = seq + 1;
    const bytes = new Uint8Array(PACK_HEADER_BYTES);
    const filled = await this.descriptors.read(seq, bytes, 0);
    const decoded = decodePackHeader(bytes.subarray(0, filled), this.folder.identity, seq);
    const name = packPath('packs', seq);
    if (decoded.kind === 'future')
      throw new NodeError('rejected', `${name} is of format ${decoded.format}: written by a newer program`);
    if (decoded.kind === 'foreign') throw new NodeError('rejected', `${name} is a pack of another node, or has another's name`);
    if (decoded.kind === 'intact') this.headers.set(seq, decoded.header);
    else this.damagedHeaders.push(seq);
  }

  async takeIn(seq: number): Promise<void> {
    const { index } = this;
    const info = index.addPack(seq, false);
    index.newestRevision = Math.max(index.newestRevision, this.headers.get(seq)?.newestRevision ?? 0);
    const { size } = await stat(packPath(this.folder.packs, seq));
    const of = { seq, seed: packSeed(this.folder.identity, seq), packBytes: size };
    const rows = await readSidecar(sidecarPath(this.folder.packs, seq), of);
    if (rows === undefined) await this.scan(info, of);
    for (let from = 0; rows !== undefined && from < rows.bytes.byteLength;) {
      from = eachRow(rows, { from, count: ROWS_PER_TURN }, (header, at, offset) =>
        index.apply(header, rows.view, at, { info, offset }),
      );
      await new Promise((resolve) => setImmediate(resolve)); // so that a large node does not keep the others waiting
    }
    info.bytes = Math.max(info.bytes, size);
  }

  result(): LoadedPacks {
    const { index, nextSeq, scannedPacks, damagedHeaders, strayBytes } = this;
    const belows = [...this.headers.values()].map(({ belowLeast }) => belowLeast);
    const belowLeast = belows.length > 0 ? Math.min(...belows) : undefined;
    return { index, belowLeast, nextSeq, scannedPacks, damagedHeaders, strayBytes };
  }

  /** Entries that are not whole were never acknowledged, or have decayed: without a sidecar that vouches for them they are none. */
  private async scan(
    info: PackInfo,
    of: { readonly seq: number; readonly seed: number; readonly packBytes: number },
  ): Promise<void> {
    const rows = new SidecarRows();
    const read = (bytes: Uint8Array, position: number): Promise<number> => this.descriptors.read(of.seq, bytes, position);
    this.scannedPacks += 1;
    for await (const chunk of scanPack({ size: of.packBytes, seed: of.seed, read })) {
      this.strayBytes += chunk.strayBytes;
      for (const at of chunk.entries) {
        this.header.readProven(chunk.view, at);
        if (!this.header.isWhole(chunk.bytes, at)) {
          this.strayBytes += this.header.bytes;
          continue;
        }
        const offset = chunk.start + at;
        this.index.apply(this.header, chunk.view, at, { info, offset });
        rows.add(this.header, chunk.bytes, at, offset);
      }
    }
    if (this.mayWrite && rows.count > 0) await writeSidecar(this.folder, rows, of).catch(() => undefined);
  }
}

/** Writes a sidecar. It is only a help: whoever cannot write it may go on. */
export async function writeSidecar(
  { packs, files }: PackFolder,
  rows: SidecarRows,
  of: { readonly seq: number; readonly seed: number; readonly packBytes: number },
): Promise<void> {
  const target = sidecarPath(packs, of.seq);
  await writeWhole(files, { target, temp: `${target}.temp` }, [rows.encode(of)]);
}
