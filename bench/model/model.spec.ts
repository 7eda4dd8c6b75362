import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ByteWriter } from '../../src/common/byte-codec.js';
import { LIMITS } from '../../src/config/limits.js';
import { INLINE_BYTES_MAX } from '../../src/files/body-writer.js';
import { writeManifest } from '../../src/metadata/manifest-codec.js';
import { encodeLayout, STRIPES_PER_PAGE } from '../../src/redundancy/layout.js';
import { scrubRate } from '../../src/redundancy/repair/scrub-schedule.js';
import { codingPlan } from '../../src/redundancy/scheme.js';
import * as model from './formulas.ts';
import { ASSUMED, MEASURED } from './inputs.ts';
import { withTables } from './page.ts';
import { defaultsOf } from './program.ts';
import { tablesOf } from './tables.ts';

const MiB = 1024 * 1024;
const PROGRAM: model.Program = {
  ...{ LIMITS, STRIPES_PER_PAGE, INLINE_BYTES_MAX, encodeLayout, writeManifest, ByteWriter, codingPlan, scrubRate },
  ...defaultsOf('config/default.json'),
};
const COPIES = { k: 1, m: 1 };
const SMALL = { nodes: 4, redundancy: 1, files: 1000, fileBytes: 4096 };

describe('docs/scale.md', () => {
  const page = readFileSync('docs/scale.md', 'utf8');

  it('has the tables that the model computes, and no others', () => {
    expect(withTables(page, tablesOf(PROGRAM))).toBe(page);
  });

  it('does not take another table for its own', () => {
    const tables = new Map(tablesOf(PROGRAM));
    tables.set('repair', `${tables.get('repair')!}\n`);
    expect(withTables(page, tables)).not.toBe(page);
    tables.set('more', '');
    expect(() => withTables(page, tables)).toThrow('no place for more');
    tables.delete('repair');
    expect(() => withTables(page, tables)).toThrow('no table "repair"');
  });

  it('has a measured value for each input', () => {
    for (const { value } of [...Object.values(MEASURED), ...Object.values(ASSUMED)]) expect(value).toBeGreaterThan(0);
  });
});

describe('the model', () => {
  it('takes the shape of stripes from the program', () => {
    const of = (nodes: number, redundancy: number, fileBytes: number): model.Shape =>
      model.shapeOf(PROGRAM, { nodes, redundancy, fileBytes });
    expect(of(4, 1, 16 * MiB)).toEqual({ k: 3, m: 1 });
    expect(of(100, 2, 16 * MiB)).toEqual({ k: 16, m: 2 });
    expect(of(100, 2, MiB)).toEqual({ k: 1, m: 2 });
  });

  it('counts the bytes of a layout over its pages', () => {
    const bytes = (stripes: number): number => model.layoutBytesPerFile(PROGRAM, { stripes, k: 3, m: 1 });
    expect(bytes(1)).toBe(8 + 4);
    expect(bytes(STRIPES_PER_PAGE)).toBe(8 + 4 * STRIPES_PER_PAGE);
    expect(bytes(2 * STRIPES_PER_PAGE + 5)).toBe(3 * 8 + 4 * (2 * STRIPES_PER_PAGE + 5));
    expect(model.stripesPerFile(PROGRAM, { fileBytes: 1024 * MiB, k: 3 })).toBe(342);
    expect(model.stripesPerFile(PROGRAM, { fileBytes: 10, k: 3 })).toBe(1);
  });

  it('gives a small file in the index what was measured, and a larger one more', () => {
    for (const engine of ['embedded', 'postgres'] as const) {
      const measured = MEASURED[`${engine}_index_bytes_per_file`].value;
      expect(model.indexBytesPerFile(PROGRAM, { store: SMALL, engine })).toBe(measured);
      const large = { ...SMALL, fileBytes: 1024 * MiB };
      const more = model.indexBytesPerFile(PROGRAM, { store: large, engine }) - measured;
      // 342 stripes of four shards, and two further nodes with what they have.
      const layout = (342 * 4 - 2) * MEASURED[`${engine}_index_bytes_per_layout_byte`].value;
      expect(more).toBeGreaterThan(layout);
      expect(more).toBeLessThan(layout + 60 * MEASURED[`${engine}_index_bytes_per_layout_byte`].value);
    }
  });

  it('counts what nodes keep: a small file is a shard and a record in packs, a large one only a record', () => {
    expect(model.packEntriesPerNode(PROGRAM, SMALL)).toBe((1000 * 4) / 4);
    expect(model.packEntriesPerNode(PROGRAM, { ...SMALL, fileBytes: 16 * MiB })).toBe((1000 * 2) / 4);
    const stored = model.storedBytesPerNode(PROGRAM, { ...SMALL, fileBytes: 300 * MiB });
    expect(stored / ((1000 * 400 * MiB) / 4)).toBeCloseTo(1, 4);
  });

  it('lets a put leave the gateway several times, and a get once', () => {
    const link = model.linkBytesPerSecond(10);
    expect(link).toBe(1.25e9);
    expect(model.gatewayLinkBytesPerSecond('get', { ...COPIES, nodes: 4, linkBytesPerSecond: link })).toBe(link);
    expect(model.gatewayLinkBytesPerSecond('put', { ...COPIES, nodes: 4, linkBytesPerSecond: link })).toBeCloseTo(link / 1.5);
    expect(model.gatewayLinkBytesPerSecond('put', { k: 3, m: 1, nodes: 4, linkBytesPerSecond: link })).toBe(link);
    expect(model.perSecondOfOneCore(0.5)).toBe(2000);
    expect(model.bytesPerSecondOfOneCore(10)).toBe(100 * MiB);
  });

  it('restores at the slowest of limit, links, disks and, where it decodes, the processor of the gateway', () => {
    const loss = {
      nodes: 5,
      shape: COPIES,
      bytes: 16e12,
      limitBytesPerSecond: 64 * MiB,
      linkBytesPerSecond: 1.25e9,
      diskBytesPerSecond: 200e6,
    };
    expect(model.repairSeconds(loss)).toBeCloseTo(16e12 / (64 * MiB));
    const free = { ...loss, limitBytesPerSecond: 0 };
    expect(model.repairBytesPerSecond(free)).toBe((4 * 200e6) / 2);
    expect(model.repairBytesPerSecond({ ...free, linkBytesPerSecond: 50e6 })).toBe(4 * 50e6);
    const coded = { ...free, shape: { k: 4, m: 1 }, linkBytesPerSecond: 125e6, nodes: 100 };
    expect(model.repairBytesPerSecond(coded)).toBe(125e6 / 4);
    expect(model.repairBytesPerSecond({ ...coded, linkBytesPerSecond: 500e6, nodes: 5 })).toBeLessThanOrEqual(500e6 / 4);
    expect(model.needsNewNode({ nodes: 5, k: 4, m: 1 })).toBe(true);
    expect(model.needsNewNode({ nodes: 6, k: 4, m: 1 })).toBe(false);
    const slowDisk = { ...coded, nodes: 5, linkBytesPerSecond: 1e9, diskBytesPerSecond: 10e6 };
    expect(model.repairBytesPerSecond(slowDisk)).toBe(10e6);
    const cpu = model.bytesPerSecondOfOneCore(4 * MEASURED.gateway_cpu_ms_per_mib_get_erasure.value);
    expect(model.repairBytesPerSecond({ ...coded, linkBytesPerSecond: 1e12, diskBytesPerSecond: 1e12 })).toBe(cpu);
  });

  it('knows how often too many nodes are lost at once', () => {
    const risk = { nodes: 10, redundancy: 1, annualLossRate: 0.1, repairSeconds: model.YEAR_SECONDS / 100 };
    expect(model.fatalLossesPerYear(risk)).toBeCloseTo(10 * 0.1 * 9 * 0.001);
    expect(model.fatalLossesPerYear({ ...risk, redundancy: 2 })).toBeCloseTo((1 * 9 * 0.001 * 8 * 0.001) / 2);
  });

  it('moves to a node that joins what brings all to the mean', () => {
    expect(model.rebalanceBytes({ nodes: 4, bytesPerNode: 100 })).toBe(80);
    const hardware = { linkBytesPerSecond: 1e9, diskBytesPerSecond: 2e8 };
    expect(model.rebalanceBytesPerSecond({ ...hardware, limitBytesPerSecond: 64 * MiB })).toBe(64 * MiB);
    expect(model.rebalanceBytesPerSecond({ ...hardware, limitBytesPerSecond: 0 })).toBe(2e8);
  });

  it('scrubs all within the interval, up to what the limit lets through', () => {
    const fitting = { ...SMALL, files: 1e6, fileBytes: 30 * MiB };
    expect(model.scrubSeconds(PROGRAM, fitting)).toBeLessThanOrEqual(LIMITS.scrub_interval_hours * 3600);
    const tooMuch = { ...SMALL, files: 2e7, fileBytes: 30 * MiB };
    expect(model.storedBytesPerNode(PROGRAM, tooMuch) * 4).toBeGreaterThan(model.scrubBytesMost(PROGRAM));
    expect(model.scrubSeconds(PROGRAM, tooMuch)).toBeGreaterThan(LIMITS.scrub_interval_hours * 3600);
  });

  it('takes as long for a rebuild as there are records, and for a walk as there are files', () => {
    const records = MEASURED.embedded_rebuild_records_per_second.value;
    expect(model.rebuildSeconds(PROGRAM, { store: { ...SMALL, files: records }, engine: 'embedded' })).toBe(2);
    expect(model.walkSeconds({ files: 1e6 }, 'embedded')).toBe(MEASURED.embedded_walk_us_per_file.value);
    expect(model.smallRepairSeconds(MEASURED.repair_versions_per_second.value)).toBe(1);
    const put = MEASURED.gateway_cpu_ms_per_mib_put_erasure.value;
    const small = MEASURED.gateway_cpu_ms_per_small_put.value;
    expect(model.fillSeconds(PROGRAM, { ...SMALL, fileBytes: 3 * MiB }, 1)).toBeCloseTo(small + put * 3);
    expect(model.fillSeconds(PROGRAM, { ...SMALL, fileBytes: 3 * MiB }, 3)).toBeCloseTo(put);
    expect(model.fillSeconds(PROGRAM, { ...SMALL, fileBytes: 3 * MiB }, 1000)).toBe(
      MEASURED.gateway_cpu_ms_per_delegated_put.value,
    );
    expect(model.fillSeconds(PROGRAM, SMALL, 1000)).toBe(model.fillSeconds(PROGRAM, SMALL, 1));
  });
});
