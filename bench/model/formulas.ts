import type { ByteWriter as Writer } from '../../src/common/byte-codec.ts';
import type { FileId } from '../../src/common/ids.ts';
import type { LIMITS as Limits } from '../../src/config/limits.ts';
import type { INLINE_BYTES_MAX as InlineBytesMax } from '../../src/files/body-writer.ts';
import type { writeManifest as WriteManifest } from '../../src/metadata/manifest-codec.ts';
import type { encodeLayout as EncodeLayout, STRIPES_PER_PAGE as StripesPerPage } from '../../src/redundancy/layout.ts';
import type { scrubRate as ScrubRate } from '../../src/redundancy/repair/scrub-schedule.ts';
import type { codingPlan as CodingPlan, SchemeConfig } from '../../src/redundancy/scheme.ts';
import { MEASURED } from './inputs.ts';

/** What of the program the model uses, so that nothing of it is written down here a second time. */
export interface Program {
  readonly LIMITS: typeof Limits;
  readonly STRIPES_PER_PAGE: typeof StripesPerPage;
  readonly INLINE_BYTES_MAX: typeof InlineBytesMax;
  readonly encodeLayout: typeof EncodeLayout;
  readonly writeManifest: typeof WriteManifest;
  readonly ByteWriter: typeof Writer;
  readonly codingPlan: typeof CodingPlan;
  readonly scrubRate: typeof ScrubRate;
  /** Of `config/default.json`. */
  readonly sliceBytes: number;
  readonly packBelowBytes: number;
}

type EngineName = 'embedded' | 'postgres';

export interface Shape {
  readonly k: number;
  readonly m: number;
}

/** A store: so many files of one size on so many nodes, which is machines, or folders of one. */
export interface Store {
  readonly nodes: number;
  readonly redundancy: number;
  readonly files: number;
  readonly fileBytes: number;
}

/** What the machines are. */
export interface Hardware {
  readonly linkBytesPerSecond: number;
  /** That a disk reads and writes, in all. */
  readonly diskBytesPerSecond: number;
}

const DAY_SECONDS = 86_400;
export const YEAR_SECONDS = 365 * DAY_SECONDS;
const MiB = 1024 * 1024;

export function linkBytesPerSecond(gigabitsPerSecond: number): number {
  return (gigabitsPerSecond * 1e9) / 8;
}

/** k and m of the stripes of a file, with `redundancy_scheme: "auto"`. */
export function shapeOf(program: Program, { nodes, redundancy, fileBytes }: Omit<Store, 'files'>): Shape {
  const config: SchemeConfig = {
    node_count: nodes,
    redundancy_count: redundancy,
    redundancy_scheme: 'auto',
    size_per_slice: program.sliceBytes,
    limits: program.LIMITS,
  };
  const plan = program.codingPlan(config, nodes);
  return plan === undefined || fileBytes <= Math.max(plan.replicatedBytesMax, program.INLINE_BYTES_MAX)
    ? { k: 1, m: redundancy }
    : plan.shape;
}

export function stripesPerFile(
  { sliceBytes }: Program,
  { fileBytes, k }: { readonly fileBytes: number; readonly k: number },
): number {
  return Math.max(1, Math.ceil(fileBytes / sliceBytes / k));
}

/** Of all pages of a file's layout, as the codec writes them. */
export function layoutBytesPerFile(program: Program, { stripes, k, m }: Shape & { readonly stripes: number }): number {
  const page = (rows: number): number =>
    program.encodeLayout(new Array<number[]>(rows).fill(new Array<number>(k + m).fill(1)), { k, m }).length;
  const full = Math.ceil(stripes / program.STRIPES_PER_PAGE) - 1;
  return (full === 0 ? 0 : full * page(program.STRIPES_PER_PAGE)) + page(stripes - full * program.STRIPES_PER_PAGE);
}

/** Of a manifest, as the codec writes it, with the usage of all nodes that have a shard of the file. */
export function manifestBytesPerFile(
  program: Program,
  { store, shape }: { readonly store: Store; readonly shape: Shape },
): number {
  const stripes = stripesPerFile(program, { ...store, ...shape });
  const users = Math.min(store.nodes, stripes * (shape.k + shape.m));
  const shards = Math.ceil((stripes * (shape.k + shape.m)) / users);
  const bytes = Math.ceil((store.fileBytes * (shape.k + shape.m)) / shape.k / users);
  const seal = { kekId: 'k1', wrappedKey: new Uint8Array(61), header: new Uint8Array(74), sealedDigest: new Uint8Array(60) };
  const written = program.writeManifest(new program.ByteWriter(), {
    fileId: '01920000-0000-7000-8000-000000000000' as FileId,
    ...{ size: store.fileBytes, sealedSize: store.fileBytes, sliceBytes: program.sliceBytes, ...shape, createdAt: 1.8e12, seal },
    usage: Array.from({ length: users }, (_, at) => ({ node: 1 + at, shards, bytes })),
    recordNodes: Array.from({ length: shape.m + 1 }, (_, at) => 1 + at),
  });
  return written.finish().length;
}

/** What was measured is a file of 4 KiB with two copies; what others have more is taken times the bytes on disk of a byte of layout. */
export function indexBytesPerFile(
  program: Program,
  { store, engine }: { readonly store: Store; readonly engine: EngineName },
): number {
  const valueBytes = (one: Store, shape: Shape): number =>
    layoutBytesPerFile(program, { stripes: stripesPerFile(program, { ...one, ...shape }), ...shape }) +
    manifestBytesPerFile(program, { store: one, shape });
  const measured = valueBytes({ nodes: 4, redundancy: 1, files: 1, fileBytes: 4096 }, { k: 1, m: 1 });
  const more = valueBytes(store, shapeOf(program, store)) - measured;
  return MEASURED[`${engine}_index_bytes_per_file`].value + more * MEASURED[`${engine}_index_bytes_per_layout_byte`].value;
}

/** Bytes of files on each node, copies and parity counted. */
export function storedBytesPerNode(program: Program, store: Store): number {
  const { k, m } = shapeOf(program, store);
  const beside = (m + 1) * MEASURED.node_bytes_beside_a_small_body.value;
  return (store.files * ((store.fileBytes * (k + m)) / k + beside)) / store.nodes;
}

/** What a node keeps in packs, and so in memory by its key: a record of each file that it has one of, and shards that are small. */
export function packEntriesPerNode(program: Program, store: Store): number {
  const { k, m } = shapeOf(program, store);
  const stripes = stripesPerFile(program, { ...store, k });
  const isPacked = Math.min(store.fileBytes / k, program.sliceBytes) < program.packBelowBytes;
  const shards = isPacked ? stripes * (k + m) : 0;
  const records = Math.ceil(stripes / program.STRIPES_PER_PAGE) * (m + 1);
  return (store.files * (shards + records)) / store.nodes;
}

export function packMemoryBytesPerNode(program: Program, store: Store): number {
  return packEntriesPerNode(program, store) * MEASURED.node_memory_bytes_per_entry.value;
}

/** @param cpuMs of one core, for each */
export function perSecondOfOneCore(cpuMs: number): number {
  return 1000 / cpuMs;
}

export function bytesPerSecondOfOneCore(cpuMsPerMiB: number): number {
  return (MiB * 1000) / cpuMsPerMiB;
}

/** A put leaves the gateway as k + m shards for k, but for what stays on its own node; a get comes in and goes out once. */
export function gatewayLinkBytesPerSecond(
  deed: 'put' | 'get',
  { k, m, nodes, linkBytesPerSecond: link }: Shape & { readonly nodes: number; readonly linkBytesPerSecond: number },
): number {
  return deed === 'get' ? link : Math.min(link, link / (((k + m) / k) * (1 - 1 / nodes)));
}

/**
 * To take in all files of a store, with one core of each machine: bodies that are large enough are moved by all of them, and all else is done by the
 * gateway.
 */
export function fillSeconds(program: Program, store: Store, machines: number): number {
  const { k } = shapeOf(program, store);
  const cpuMsPerMiB = MEASURED[`gateway_cpu_ms_per_mib_put_${k === 1 ? 'replicate' : 'erasure'}`].value;
  const body = (cpuMsPerMiB * store.fileBytes) / MiB;
  const isDelegated = machines > 1 && store.fileBytes >= program.LIMITS.delegate_bytes_min;
  const each = isDelegated
    ? Math.max(MEASURED.gateway_cpu_ms_per_delegated_put.value, body / machines)
    : MEASURED.gateway_cpu_ms_per_small_put.value + body;
  return store.files / perSecondOfOneCore(each);
}

/** `dcloud rebuild-index` reads each record that a node has: m + 1 of a file. */
export function rebuildSeconds(
  program: Program,
  { store, engine }: { readonly store: Store; readonly engine: EngineName },
): number {
  const records = store.files * (shapeOf(program, store).m + 1);
  return records / MEASURED[`${engine}_rebuild_records_per_second`].value;
}

/** Before a repair begins, and after a start or a change of nodes, the manifests of all files are looked at. */
export function walkSeconds({ files }: Pick<Store, 'files'>, engine: EngineName): number {
  return (files * MEASURED[`${engine}_walk_us_per_file`].value) / 1e6;
}

/** Once through all nodes, at the rate that the scrub itself chooses for so many bytes. */
export function scrubSeconds(program: Program, store: Store): number {
  const { scrub_interval_hours: intervalHours, scrub_bytes_per_second: bytesPerSecondMost } = program.LIMITS;
  const bytes = storedBytesPerNode(program, store) * store.nodes;
  return bytes / program.scrubRate(bytes, { intervalHours, bytesPerSecondMost });
}

/** Bytes that a scrub proves within its interval at the most, on all nodes together. */
export function scrubBytesMost({ LIMITS }: Program): number {
  return LIMITS.scrub_bytes_per_second * LIMITS.scrub_interval_hours * 3600;
}

export interface Loss extends Hardware {
  /** Before it. */
  readonly nodes: number;
  readonly shape: Shape;
  /** That were on the node. */
  readonly bytes: number;
  /** `repair_bytes_per_second`; 0: none. */
  readonly limitBytesPerSecond: number;
}

/**
 * How fast what was lost is there again, if nobody else asks for anything. Copies go from node to node: each of those that are left reads and sends,
 * receives and writes its share. What was coded goes through the gateway: k shards come in for one that goes out, at the processor time of as many
 * gets. Stripes that need every node are restored on the new one alone.
 */
export function repairBytesPerSecond({ nodes, shape: { k, m }, limitBytesPerSecond, ...hardware }: Loss): number {
  const limit = limitBytesPerSecond === 0 ? Infinity : limitBytesPerSecond;
  const { linkBytesPerSecond: link, diskBytesPerSecond: disk } = hardware;
  const disks = needsNewNode({ nodes, k, m })
    ? Math.min(disk, link, ((nodes - 1) * disk) / k)
    : Math.min((nodes - 1) * link, ((nodes - 1) * disk) / (k + 1));
  if (k === 1) return Math.min(limit, disks);
  const cpu = bytesPerSecondOfOneCore(k * MEASURED.gateway_cpu_ms_per_mib_get_erasure.value);
  return Math.min(limit, link / k, disks, cpu);
}

/** Where each stripe has a shard on every node there is no other that could take what was lost. */
export function needsNewNode({ nodes, k, m }: Shape & Pick<Loss, 'nodes'>): boolean {
  return k + m >= nodes;
}

export function repairSeconds(loss: Loss): number {
  return loss.bytes / repairBytesPerSecond(loss);
}

/** Of small files it is their number that counts. */
export function smallRepairSeconds(files: number): number {
  return files / MEASURED.repair_versions_per_second.value;
}

/** Times in a year that more nodes are lost than may be, while what the first one had is not restored: losses are independent, and come as Poisson's do. */
export function fatalLossesPerYear({ nodes, redundancy, annualLossRate, repairSeconds: seconds }: Risk): number {
  const perNode = (annualLossRate * seconds) / YEAR_SECONDS;
  let chance = nodes * annualLossRate;
  for (let further = 1; further <= redundancy; further += 1) chance *= ((nodes - further) * perNode) / further;
  return chance;
}

export interface Risk {
  readonly nodes: number;
  readonly redundancy: number;
  /** Of one node. */
  readonly annualLossRate: number;
  readonly repairSeconds: number;
}

/** What a rebalance moves to a node that joins others which have so much each. */
export function rebalanceBytes({ nodes, bytesPerNode }: { readonly nodes: number; readonly bytesPerNode: number }): number {
  return (nodes * bytesPerNode) / (nodes + 1);
}

/** All of it comes in at the one that joined. */
export function rebalanceBytesPerSecond(hardware: Hardware & { readonly limitBytesPerSecond: number }): number {
  const limit = hardware.limitBytesPerSecond === 0 ? Infinity : hardware.limitBytesPerSecond;
  return Math.min(limit, hardware.linkBytesPerSecond, hardware.diskBytesPerSecond);
}
