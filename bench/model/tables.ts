import * as model from './formulas.ts';
import { ASSUMED, type Input, MEASURED } from './inputs.ts';

type Cells = readonly (string | number)[];

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const LINKS_GIGABITS = [1, 10, 25];
const DISK = ASSUMED.disk_bytes_per_second.value;
const NODE = ASSUMED.node_bytes.value;
const CODED = { k: 3, m: 1 };
const COPIES = { k: 1, m: 1 };

interface Row extends model.Store {
  readonly machines: number;
}

/** From one folder to a hundred machines: where it is one machine, it has four folders. */
const STORES: readonly Row[] = [
  { machines: 1, nodes: 4, redundancy: 1, files: 1e4, fileBytes: 4 * KIB },
  { machines: 1, nodes: 4, redundancy: 1, files: 1e4, fileBytes: 100 * MIB },
  { machines: 1, nodes: 4, redundancy: 1, files: 1e6, fileBytes: 4 * KIB },
  { machines: 4, nodes: 4, redundancy: 1, files: 1e7, fileBytes: 4 * KIB },
  { machines: 4, nodes: 4, redundancy: 1, files: 1e6, fileBytes: 16 * MIB },
  { machines: 10, nodes: 10, redundancy: 2, files: 1e8, fileBytes: 4 * KIB },
  { machines: 10, nodes: 10, redundancy: 2, files: 1e7, fileBytes: 8 * MIB },
  { machines: 100, nodes: 100, redundancy: 2, files: 1e9, fileBytes: 4 * KIB },
  { machines: 100, nodes: 100, redundancy: 2, files: 1e9, fileBytes: MIB / 2 },
  { machines: 100, nodes: 100, redundancy: 2, files: 1e6, fileBytes: GIB },
];

/** Every table of docs/scale.md, by the name that it has there. */
export function tablesOf(program: model.Program): ReadonlyMap<string, string> {
  return new Map([
    ['limits', limits(program)],
    ['space', space(program)],
    ['time', time(program)],
    ['gateway', gateway()],
    ['repair', repair(program)],
    ['small-repair', smallRepair()],
    ['risk', risk(program)],
    ['rebalance', rebalance(program)],
    ['inputs', inputs()],
  ]);
}

/** Where the next limits lie, the first one first. */
function limits(program: model.Program): string {
  const { LIMITS } = program;
  const small = (['put', 'get'] as const).map(
    (deed) => `${rounded(model.perSecondOfOneCore(MEASURED[`gateway_cpu_ms_per_small_${deed}`].value))} ${deed}s`,
  );
  const large = (['put', 'get'] as const).map(
    (deed) =>
      `${deed}s of ${rounded(model.bytesPerSecondOfOneCore(MEASURED[`gateway_cpu_ms_per_mib_${deed}_replicate`].value) / 1e6)} MB`,
  );
  const store = { nodes: 4, redundancy: 1, files: 1e7, fileBytes: 4 * KIB };
  const rebuild = duration(model.rebuildSeconds(program, { store, engine: 'embedded' }));
  const restored = duration(NODE / LIMITS.repair_bytes_per_second);
  return table(
    ['what', 'holds up to about', 'then'],
    [
      [
        'one gateway',
        `${small.join(' or ')} of 4 KiB, or ${large.join(', ')}, in a second, for each core that it uses`,
        '**the next limit**: all requests pass one process, and so do all small bodies; large ones are moved by all peers, as fast as that for each of them',
      ],
      [
        'repair, all nodes together',
        `${bytes(NODE)} in ${restored}; ${rounded(MEASURED.repair_versions_per_second.value)} small files in a second`,
        'raise `repair_bytes_per_second`; against many small files nothing helps yet',
      ],
      [
        'scrub, all nodes together',
        `${bytes(model.scrubBytesMost(program))} in ${LIMITS.scrub_interval_hours / 24} days`,
        'raise `scrub_bytes_per_second` with the store',
      ],
      [
        'the embedded index, lost',
        `${power(store.files)} files: ${rebuild} to rebuild`,
        'the index in PostgreSQL, with a standby: a takeover reads no node. Or a [backup](operations.md#backup)',
      ],
      [
        'wide stripes',
        'see [below](#a-lost-node-of-16-tb)',
        'a lost shard costs k reads through the gateway: lower `stripe_data_slices_max`',
      ],
    ],
  );
}

function space(program: model.Program): string {
  const rows = STORES.map((store): Cells => {
    const { k, m } = model.shapeOf(program, store);
    return [
      ...heading(store),
      `${k} + ${m}`,
      bytes(model.storedBytesPerNode(program, store)),
      bytes(store.files * model.indexBytesPerFile(program, { store, engine: 'embedded' })),
      bytes(store.files * model.indexBytesPerFile(program, { store, engine: 'postgres' })),
      bytes(model.packMemoryBytesPerNode(program, store)),
    ];
  });
  const heads = [
    'machines',
    'files',
    'each',
    'k + m',
    'on each node',
    'index, embedded',
    'index, PostgreSQL',
    'memory of each node for packs',
  ];
  return table(heads, rows);
}

function time(program: model.Program): string {
  const rows = STORES.map((store): Cells => {
    const rebuild = (engine: 'embedded' | 'postgres'): string => duration(model.rebuildSeconds(program, { store, engine }));
    return [
      ...heading(store),
      duration(model.fillSeconds(program, store, store.machines)),
      rebuild('embedded'),
      rebuild('postgres'),
      duration(model.walkSeconds(store, 'embedded')),
      duration(model.scrubSeconds(program, store)),
    ];
  });
  const heads = ['machines', 'files', 'each', 'to put them', 'rebuild, embedded', 'rebuild, PostgreSQL', 'a walk', 'a scrub'];
  return table(heads, rows);
}

function heading({ machines, files, fileBytes }: Row): Cells {
  return [machines === 1 ? '1 (4 folders)' : machines, power(files), binary(fileBytes)];
}

function gateway(): string {
  const small = (['put', 'get'] as const).map((deed): Cells => {
    const perSecond = model.perSecondOfOneCore(MEASURED[`gateway_cpu_ms_per_small_${deed}`].value);
    return [`${deed} 4 KiB`, `${rounded(perSecond)}/s`, ...LINKS_GIGABITS.map(() => '–')];
  });
  const large = (['put', 'get'] as const).flatMap((deed) =>
    ([COPIES, CODED] as const).map((shape): Cells => {
      const core = model.bytesPerSecondOfOneCore(
        MEASURED[`gateway_cpu_ms_per_mib_${deed}_${shape.k === 1 ? 'replicate' : 'erasure'}`].value,
      );
      const links = LINKS_GIGABITS.map((gigabits) =>
        model.gatewayLinkBytesPerSecond(deed, { ...shape, nodes: 100, linkBytesPerSecond: model.linkBytesPerSecond(gigabits) }),
      );
      return [
        `${deed} large, ${shape.k} + ${shape.m}`,
        `${rounded(core / 1e6)} MB/s`,
        ...links.map((link) => `${rounded(link / 1e6)} MB/s`),
      ];
    }),
  );
  const tickets = (['put', 'get'] as const).map((deed): Cells => {
    const perSecond = model.perSecondOfOneCore(MEASURED[`gateway_cpu_ms_per_delegated_${deed}`].value);
    return [`tickets to ${deed} by`, `${rounded(perSecond)}/s`, ...LINKS_GIGABITS.map(() => '–')];
  });
  const links = LINKS_GIGABITS.map((gigabits) => `link of ${gigabits} Gbit/s`);
  return table(['', 'one core', ...links], [...small, ...tickets, ...large]);
}

function repair({ LIMITS }: model.Program): string {
  const limits = [LIMITS.repair_bytes_per_second, 0];
  const rows = [4, 10, 100].flatMap((nodes) =>
    [COPIES, { k: Math.min(16, nodes - 2), m: 2 }].flatMap((shape) =>
      limits.map((limitBytesPerSecond): Cells => {
        const seconds = LINKS_GIGABITS.map((gigabits) =>
          model.repairSeconds({
            ...{ nodes, shape, bytes: NODE, limitBytesPerSecond },
            ...{ linkBytesPerSecond: model.linkBytesPerSecond(gigabits), diskBytesPerSecond: DISK },
          }),
        );
        const limit = limitBytesPerSecond === 0 ? 'none (0)' : `${limitBytesPerSecond / MIB} MiB/s`;
        const where = model.needsNewNode({ nodes, ...shape }) ? ', on a new node' : '';
        return [nodes, shape.k === 1 ? 'copies' : `${shape.k} + ${shape.m}${where}`, limit, ...seconds.map(duration)];
      }),
    ),
  );
  const links = LINKS_GIGABITS.map((gigabits) => `${gigabits} Gbit/s`);
  return table(['nodes', 'files are', '`repair_bytes_per_second`', ...links], rows);
}

function smallRepair(): string {
  const counts = [1e5, 1e6, 1e7, 1e8];
  return table(
    ['files on the lost node', ...counts.map(power)],
    [['time', ...counts.map((files) => duration(model.smallRepairSeconds(files)))]],
  );
}

function risk({ LIMITS }: model.Program): string {
  const annualLossRate = ASSUMED.annual_loss_rate.value;
  const limits = [LIMITS.repair_bytes_per_second, 4 * LIMITS.repair_bytes_per_second];
  const rows = [4, 10, 100].map((nodes): Cells => {
    const chances = [1, 2].flatMap((redundancy) =>
      limits.map((limit) => {
        const per = model.fatalLossesPerYear({ nodes, redundancy, annualLossRate, repairSeconds: NODE / limit });
        return per.toPrecision(1);
      }),
    );
    return [nodes, ...chances];
  });
  const heads = [1, 2].flatMap((redundancy) => limits.map((limit) => `R = ${redundancy}, ${limit / MIB} MiB/s`));
  return table(['nodes', ...heads], rows);
}

function rebalance({ LIMITS }: model.Program): string {
  const bytesPerNode = NODE / 2;
  const rows = [4, 10, 99].map((nodes): Cells => {
    const moved = model.rebalanceBytes({ nodes, bytesPerNode });
    const at = (limitBytesPerSecond: number): string => {
      const hardware = { linkBytesPerSecond: model.linkBytesPerSecond(10), diskBytesPerSecond: DISK };
      return duration(moved / model.rebalanceBytesPerSecond({ ...hardware, limitBytesPerSecond }));
    };
    return [nodes, bytes(moved), at(LIMITS.repair_bytes_per_second), at(0)];
  });
  return table(['joins so many', 'moved', `at ${LIMITS.repair_bytes_per_second / MIB} MiB/s`, 'no limit, 10 Gbit/s'], rows);
}

function inputs(): string {
  const all: [string, Input][] = [...Object.entries(MEASURED), ...Object.entries(ASSUMED)];
  const isAssumed = (name: string): boolean => name in ASSUMED;
  const rows = all.map(([name, { value, unit, from }]): Cells => [
    `\`${name}\``,
    value.toLocaleString('en-US'),
    unit,
    isAssumed(name) ? `assumed: ${from}` : `measured: ${from}`,
  ]);
  return table(['input', 'value', 'unit', 'from'], rows);
}

function table(heads: readonly string[], rows: readonly Cells[]): string {
  return [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Two digits that count. */
function rounded(number: number): string {
  return Number(number.toPrecision(2)).toLocaleString('en-US');
}

function bytes(count: number): string {
  for (const [unit, size] of [
    ['PB', 1e15],
    ['TB', 1e12],
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const)
    if (count >= size) return `${rounded(count / size)} ${unit}`;
  return `${rounded(count)} B`;
}

function binary(count: number): string {
  if (count >= GIB) return `${count / GIB} GiB`;
  return count >= MIB ? `${count / MIB} MiB` : `${count / KIB} KiB`;
}

function duration(seconds: number): string {
  for (const [unit, size] of [
    ['years', model.YEAR_SECONDS],
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
  ] as const)
    if (seconds >= size) return `${rounded(seconds / size)} ${unit}`;
  return seconds < 1 ? '< 1 s' : `${rounded(seconds)} s`;
}

function power(count: number): string {
  return count.toLocaleString('en-US');
}
