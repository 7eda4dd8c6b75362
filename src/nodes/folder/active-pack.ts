import { fstat, stat } from 'node:fs';
import { promisify } from 'node:util';
import { errorCode } from '../../common/errors.js';
import { NodeError } from '../storage-node.js';
import { removeQuietly, syncDirectory, writeAll } from './durable-files.js';
import { verifyIdentity } from './node-identity.js';
import { EntryHeader, PACK_HEADER_BYTES, encodePackHeader, packSeed, type EntryBytes, type PackHeader } from './pack-format.js';
import type { PackIndex } from './pack-index.js';
import { writeSidecar, type PackFolder } from './pack-load.js';
import { packPath } from './pack-names.js';
import { SidecarRows } from './pack-sidecar.js';

/** The pack that a process appends to: one that it began itself, so that what older ones hold is never touched. */
export class ActivePack {
  readonly seq: number;
  readonly seed: number;
  /** Up to where it is durable; 0 until its header is. */
  bytes = 0;
  /** True if its path leads elsewhere by now. */
  isLost = false;
  private readonly rows = new SidecarRows();
  private readonly entry = new EntryHeader();

  private constructor(
    private readonly folder: PackFolder,
    private readonly header: PackHeader,
    private readonly descriptor: number,
    private readonly inode: string,
  ) {
    this.seq = header.seq;
    this.seed = packSeed(folder.identity, header.seq);
  }

  /** Makes the file. The folder is looked at before: a pack in another node's folder would be a foreign one there. */
  static async begin(folder: PackFolder, header: PackHeader): Promise<ActivePack> {
    await verifyIdentity(folder.directory, folder.identity);
    const descriptor = await folder.files.open(packPath(folder.packs, header.seq), 'wx+');
    try {
      return new ActivePack(folder, header, descriptor, await inodeOf(descriptor));
    } catch (error) {
      await folder.files.close(descriptor).catch(() => undefined);
      throw error;
    }
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  get headerBytes(): number {
    return this.isEmpty ? PACK_HEADER_BYTES : 0;
  }

  /** Writes the header, if it was not written yet; returns where it ends. */
  writeHeader(bytes: Uint8Array): number {
    if (this.isEmpty) bytes.set(encodePackHeader(this.folder.identity, this.header));
    return this.headerBytes;
  }

  /** Appends durably, and proves that the pack is still where it was. */
  async append(bytes: Uint8Array): Promise<void> {
    const { files, packs } = this.folder;
    await writeAll(files, { descriptor: this.descriptor, position: this.bytes }, bytes);
    await files.fdatasync(this.descriptor);
    if (this.isEmpty) await syncDirectory(files, packs).catch((error: unknown) => this.explain(error));
    const inode = await inodeOf(packPath(packs, this.seq)).catch((error: unknown) => this.explain(error));
    if (inode !== this.inode) await this.explain(new NodeError('unavailable', 'its folder was replaced by a copy'));
  }

  /** Takes what was appended last into the index. */
  takeIn(source: EntryBytes, end: number, index: PackIndex): void {
    const info = index.packs.get(this.seq);
    for (let at = this.headerBytes; at < end;) {
      const offset = this.bytes + at;
      this.entry.readProven(source.view, at);
      if (info !== undefined) index.apply(this.entry, source.view, at, { info, offset });
      this.rows.add(this.entry, source.bytes, at, offset);
      at += this.entry.bytes;
    }
    this.bytes += end;
  }

  /** Closes it and writes its sidecar. */
  async seal(): Promise<void> {
    const { files } = this.folder;
    await files.close(this.descriptor);
    if (this.rows.count > 0)
      await writeSidecar(this.folder, this.rows, { seq: this.seq, seed: this.seed, packBytes: this.bytes });
  }

  /** Only closes it. */
  async release(): Promise<void> {
    await this.folder.files.close(this.descriptor).catch(() => undefined);
  }

  /** Closes one that failed, and removes it if nothing in it was ever acknowledged. */
  async discard(): Promise<void> {
    const { files, packs } = this.folder;
    await this.release();
    if (this.isEmpty && !this.isLost) await removeQuietly(files, packPath(packs, this.seq));
  }

  /** Throws why the pack is not where it was: the reason is in the folder, if that is gone or is another's. */
  private async explain(error: unknown): Promise<never> {
    const code = errorCode(error);
    this.isLost = code === undefined || code === 'ENOENT' || code === 'ENOTDIR';
    if (this.isLost) await verifyIdentity(this.folder.directory, this.folder.identity);
    throw error;
  }
}

/** The file behind a path or a descriptor, as text. */
async function inodeOf(file: string | number): Promise<string> {
  const { dev, ino } =
    typeof file === 'number' ? await promisify(fstat)(file, { bigint: true }) : await promisify(stat)(file, { bigint: true });
  return `${dev}:${ino}`;
}
