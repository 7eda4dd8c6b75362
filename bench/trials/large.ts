import { randomBytes } from 'node:crypto';
import { type Bench, sized } from '../kit/bench.ts';
import { measure } from '../kit/measure.ts';
import { filesOf, putOf, removeAll, serversThat } from '../kit/servers.ts';
import { GiB, MiB, nameOfBytes } from '../kit/sizes.ts';
import type { Goal, Row, Trial, Trials, Turns } from '../kit/trial.ts';
import { get, idOf } from '../requests.ts';
import type { Subject } from '../subject.ts';

const FLOOR = 'the same segments sealed, the same two writes and fsyncs; one copy read and opened';
const DEEDS = ['put', 'get'] as const;
type Deed = (typeof DEEDS)[number];
const GOALS: Readonly<Record<Deed, Goal>> = { put: { of: 'ratio', least: 0.75 }, get: { of: 'ratio', least: 0.85 } };
const OF_ONE = { goals: GOALS, memory: { of: 'value', most: 250 } } as const;

/** One large file for each client, and the memory that the server needs for them. */
export const large: Trials = (bench) => [
  ...[1, 4, 16].map((clients) => {
    const bytes = sized(bench, { quick: 4 * MiB, usual: clients === 1 ? GiB : (256 * MiB) / clients, long: GiB });
    return largeTrial(bench, { name: `large-${clients}`, clients, bytes, ...(clients === 1 ? OF_ONE : {}) });
  }),
  largeTrial(bench, {
    name: 'large-64',
    clients: 64,
    bytes: sized(bench, { quick: MiB, usual: 4 * MiB, long: 100 * MiB }),
    memory: { of: 'value', most: 600, isOfLong: true },
    turnsMax: 2,
  }),
];

interface Size {
  readonly name: string;
  readonly clients: number;
  /** Of each file. */
  readonly bytes: number;
  readonly goals?: Readonly<Partial<Record<Deed, Goal>>>;
  /** A goal for the highest resident memory, in MB. */
  readonly memory?: Goal;
  readonly turnsMax?: number;
}

export function largeTrial({ directory }: Pick<Bench, 'directory'>, { name, turnsMax = Infinity, ...size }: Size): Trial {
  const { clients, bytes } = size;
  return {
    name,
    turnsMax,
    rows: DEEDS.flatMap((deed) => rowsOf(deed, { name, ...size })),
    open: () => {
      const request = putOf(randomBytes, bytes);
      return serversThat({ directory, products: { product: {} }, floors: { floor: 'sealed' } }, (server) =>
        putAndGet(server, { clients, bytes }, request),
      );
    },
  };
}

function rowsOf(deed: Deed, { name, clients, bytes, goals = {}, memory }: Size): readonly Row[] {
  const title = `${deed} ${nameOfBytes(bytes)}, ${clients} ${clients === 1 ? 'client' : 'clients'}`;
  const goal = goals[deed];
  const of = { measured: `product.${deed}`, beside: `floor.${deed}`, floor: FLOOR };
  const speed: Row = { ...of, name: `${name}-${deed}`, title, unit: 'MB/s', ...(goal === undefined ? {} : { goal }) };
  if (memory === undefined) return [speed];
  return [speed, { ...of, name: `${name}-${deed}-memory`, title: `${title}: memory`, unit: 'peak, MB', goal: memory }];
}

/** Every client puts a file and gets it; then all are removed. */
export async function putAndGet(
  server: Subject,
  { clients, bytes }: { readonly clients: number; readonly bytes: number },
  request: ReturnType<typeof putOf>,
): Promise<Turns> {
  const size = { clients, operations: clients, bytesEach: bytes };
  const before = await filesOf(server);
  const ids: string[] = [];
  const written = await measure(server, size, request, (answer) => ids.push(idOf(answer)));
  const read = await measure(server, size, (operation) => get(ids[operation] ?? ''));
  await removeAll(server, ids, before);
  return { put: written, get: read };
}
