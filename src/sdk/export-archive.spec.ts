import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { concat, utf8 } from './bytes.js';
import { archiveOf, type ExportItem } from './export-archive.js';

const MODIFIED = new Date('2024-05-06T07:08:09Z');

async function* pieces(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all;
}
const folder = (path: string): ExportItem => ({ path, kind: 'folder', size: 0, modifiedAt: MODIFIED });
const file = (path: string, ...body: readonly Uint8Array[]): ExportItem => ({
  path,
  kind: 'file',
  size: concat(...body).length,
  modifiedAt: MODIFIED,
  body: () => pieces(...body),
});
async function* items(...all: readonly ExportItem[]): AsyncGenerator<ExportItem> {
  yield* all;
}
async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const bytes of source) all.push(Uint8Array.from(bytes));
  return concat(...all);
}

describe('an exported folder', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'export-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is opened by tar, with its names and times', async () => {
    const [long, large] = ['Grüße '.repeat(30).trim(), new Uint8Array(700_000).fill(7)];
    const archive = await collect(
      archiveOf(
        items(
          folder('Briefe'),
          file('Briefe/Mai – Größe.txt', utf8('hallo '), utf8('Welt')),
          file('Briefe/leer'),
          file(`Briefe/${long}`, large, large),
          folder('Briefe/leerer Ordner'),
        ),
      ),
    );
    writeFileSync(join(directory, 'a.tar'), archive);
    execFileSync('tar', ['-xf', 'a.tar'], { cwd: directory });
    const at = (name: string): string => join(directory, 'Briefe', name);
    expect(readFileSync(at('Mai – Größe.txt'), 'utf8')).toBe('hallo Welt');
    expect(readFileSync(at('leer'))).toHaveLength(0);
    expect(readFileSync(at(long)).equals(Buffer.concat([large, large]))).toBe(true);
    expect(statSync(at('leerer Ordner')).isDirectory()).toBe(true);
    expect(statSync(at('leer')).mtime).toEqual(MODIFIED);
  });

  it('a source that fails, or has another size, leaves no archive that looks whole', async () => {
    const failing: ExportItem = {
      ...file('a', utf8('x')),
      size: 100,
      body: async function* () {
        yield utf8('x');
        throw new RangeError('the server is gone');
      },
    };
    await expect(collect(archiveOf(items(failing, file('b', utf8('y')))))).rejects.toThrow('the server is gone');
    const short = { ...file('a', utf8('x')), size: 100 };
    await expect(collect(archiveOf(items(short)))).rejects.toThrow('Size mismatch');
    async function* broken(): AsyncGenerator<ExportItem> {
      yield file('a', utf8('x'));
      throw new RangeError('the listing ended');
    }
    await expect(collect(archiveOf(broken()))).rejects.toThrow('the listing ended');
  });

  it('who stops reading stops the sources, which are never far ahead', async () => {
    let read = 0;
    let isStopped = false;
    const endless: ExportItem = {
      ...file('a'),
      size: 2 ** 40,
      body: async function* () {
        try {
          for (;;) {
            yield new Uint8Array(65_536);
            read += 65_536;
          }
        } finally {
          isStopped = true;
        }
      },
    };
    let taken = 0;
    for await (const bytes of archiveOf(items(endless))) {
      taken += bytes.length;
      if (taken > 2_000_000) break;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isStopped).toBe(true);
    expect(read).toBeLessThan(taken + 500_000);
  });
});
