import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdir, mkdtemp, open, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FILLER = 'filler';
/** EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: from now on all I/O fails, and what was not synced is lost. Node.js has no ioctl. */
const SHUT_DOWN = 'open(my $d, "<", $ARGV[0]) or die $!; my $f = pack("L", 2); ioctl($d, 0x8004587d, $f) or die $!';

const mounted: TestDisk[] = [];
const homes: string[] = [];

/** A real file system of its own, on which real errors can be had. */
export class TestDisk {
  readonly path: string;
  /** The file that an ext4 lies in; none for one in memory. */
  private readonly image: string | undefined;

  private constructor(path: string, image?: string) {
    this.path = path;
    this.image = image;
  }

  /** A small one in memory; undefined, with a word on why, where this machine does not let us mount one. */
  static async inMemory(megabytes: number): Promise<TestDisk | undefined> {
    return orSkip(async (path) => {
      run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path);
      return new TestDisk(path);
    });
  }

  /** An ext4 in a file, which can lose its power; undefined as above. */
  static async ext4(megabytes: number): Promise<TestDisk | undefined> {
    return orSkip(async (path) => {
      const image = `${path}.image`;
      try {
        const file = await open(image, 'w');
        await file.truncate(megabytes * 1024 * 1024);
        await file.close();
        run('mkfs.ext4', '-q', '-F', image);
        run('mount', '-o', 'loop', image, path);
      } catch (error) {
        await rm(image, { force: true });
        throw error;
      }
      return new TestDisk(path, image);
    });
  }

  /** Writes until there is no byte left. */
  async fill(): Promise<void> {
    const file = await open(join(this.path, FILLER), 'a');
    try {
      for (let bytes = 1024 * 1024; bytes >= 1; bytes = bytes > 1 ? Math.floor(bytes / 16) : 0) await writeUntilFull(file, bytes);
    } finally {
      await file.close();
    }
  }

  async free(): Promise<void> {
    await rm(join(this.path, FILLER));
  }

  /**
   * A mount over it, since a disk with files that are open for writing cannot be made read-only by asking. It is read-only before it is in the
   * way: else somebody could open a file for writing in between.
   */
  makeReadOnly(): void {
    const aside = mkdtempSync(join(tmpdir(), 'dcloud-aside-'));
    run('mount', '--bind', this.path, aside);
    run('mount', '-o', 'remount,bind,ro', aside);
    run('mount', '--bind', aside, this.path);
    run('umount', aside);
    rmdirSync(aside);
  }

  makeWritable(): void {
    run('umount', '--lazy', this.path);
  }

  /** From now on reads and writes fail with EIO, also those of open files; what was not synced is gone. For ext4. */
  cutPower(): void {
    run('perl', '-e', SHUT_DOWN, this.path);
  }

  /** After a power cut, when nobody holds it any more or nobody should. */
  mountAgain(): void {
    run('umount', '-l', this.path);
    run('mount', '-o', 'loop', this.image ?? '', this.path);
  }

  async remove(): Promise<void> {
    run('umount', '-l', this.path);
    await rm(this.path, { recursive: true, force: true });
    if (this.image !== undefined) await rm(this.image);
  }
}

/** Takes away all disks that were made, and the directories of servers that had nodes on them. */
export async function removeDisks(): Promise<void> {
  for (const disk of mounted.splice(0)) await disk.remove();
  for (const home of homes.splice(0)) await rm(home, { recursive: true, force: true });
}

/** Makes a directory for a server of which a node's folder lies on a disk. */
export async function homeWithDisk(disk: TestDisk, node = 1): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'dcloud-e2e-'));
  homes.push(home);
  const folder = join(disk.path, `node_${node}`);
  await mkdir(join(home, 'data'));
  await mkdir(folder);
  await symlink(folder, join(home, 'data', `node_${node}`));
  return home;
}

async function orSkip(make: (path: string) => Promise<TestDisk>): Promise<TestDisk | undefined> {
  const path = await mkdtemp(join(tmpdir(), 'dcloud-disk-'));
  try {
    const disk = await make(path);
    mounted.push(disk);
    return disk;
  } catch (error) {
    process.stderr.write(`skipped: this machine does not allow mounts (${(error as Error).message.split('\n', 1)[0] ?? ''})\n`);
    await rm(path, { recursive: true });
    return undefined;
  }
}

async function writeUntilFull(file: { write(bytes: Uint8Array): Promise<unknown> }, bytes: number): Promise<void> {
  const block = Buffer.alloc(bytes, 0xff);
  try {
    for (;;) await file.write(block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: 'pipe' });
}
