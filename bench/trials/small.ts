import { randomBytes, randomInt } from 'node:crypto';
import { type Bench, sized } from '../kit/bench.ts';
import { measure } from '../kit/measure.ts';
import { fill, serversThat } from '../kit/servers.ts';
import { KiB, nameOfCount } from '../kit/sizes.ts';
import type { Goal, Row, Trial, Trials, Turns } from '../kit/trial.ts';
import { get, idOf, put } from '../requests.ts';
import type { FloorMode, Subject } from '../subject.ts';

const BYTES = 4 * KiB;
const SAME = 'sealed, appended to two logs and an index with group commit; read from one and opened';
const NONE = 'reads the bodies and stores nothing; answers the same bytes from memory';
const OPERATIONS: Readonly<Record<number, number>> = { 1: 400, 16: 3000, 64: 5000, 256: 5000 };
const GOALS: Readonly<Record<'put' | 'get', Goal>> = { put: { of: 'ratio', least: 0.3 }, get: { of: 'ratio', least: 0.45 } };
/** With so many clients it is compared with no input and output at all, too. */
const CLIENTS_OF_GOAL = 64;

/** Small files: first as many as there are operations are put, then each of them is got. */
export const small: Trials = (bench) => [...[1, 16, 64, 256].map((clients) => smallTrial(bench, clients)), wide(bench)];

function smallTrial(bench: Bench, clients: number): Trial {
  const usual = OPERATIONS[clients] ?? clients;
  const operations = sized(bench, { quick: 2 * clients, usual, long: 4 * usual });
  const name = `small-${clients}`;
  const size = { clients, operations, bytesEach: BYTES };
  const rows = (['put', 'get'] as const).flatMap((deed): Row[] => {
    const row = { unit: 'requests/s', measured: `product.${deed}` } as const;
    const title = `${deed} 4 KiB, ${clients} ${clients === 1 ? 'client' : 'clients'}`;
    const same = { ...row, name: `${name}-${deed}`, title, beside: `floor.${deed}`, floor: SAME };
    const none = { name: `${name}-${deed}-bare`, title: `${title}, beside no I/O`, beside: `bare.${deed}`, floor: NONE };
    return clients === CLIENTS_OF_GOAL ? [same, { ...row, ...none, goal: GOALS[deed] }] : [same];
  });
  const floors: Record<string, FloorMode> = { floor: 'sealed' };
  if (clients === CLIENTS_OF_GOAL) floors['bare'] = 'memory';
  const take = async (server: Subject): Promise<Turns> => {
    const body = randomBytes(BYTES);
    const ids: string[] = [];
    const written = await measure(
      server,
      size,
      () => put(body),
      (answer) => ids.push(idOf(answer)),
    );
    return { put: written, get: await measure(server, size, (operation) => get(ids[operation % ids.length] ?? '')) };
  };
  return {
    name,
    rows,
    open: () => serversThat({ directory: bench.directory, products: { product: {} }, floors }, take),
  };
}

/** Gets in no order among so many that neither a cache of the program nor the order of writing helps. */
function wide(bench: Bench): Trial {
  const files = sized(bench, { quick: 500, usual: 20_000, long: 100_000 });
  const size = { clients: 64, operations: sized(bench, { quick: 128, usual: 5000, long: 20_000 }), bytesEach: BYTES };
  const row = { unit: 'requests/s', measured: 'product.get', beside: 'floor.get', floor: SAME } as const;
  return {
    name: 'small-wide',
    rows: [{ ...row, name: 'small-wide-get', title: `get 4 KiB, 64 clients, any of ${nameOfCount(files)} files` }],
    open: () => {
      const idsBySide = new Map<string, readonly string[]>();
      return serversThat(
        { directory: bench.directory, products: { product: {} }, floors: { floor: 'sealed' } },
        async (server, _, side) => {
          const body = randomBytes(BYTES);
          const ids = idsBySide.get(side) ?? (await fill(server, { clients: 64, operations: files }, () => put(body)));
          idsBySide.set(side, ids);
          return { get: await measure(server, size, () => get(ids[randomInt(ids.length)] ?? '')) };
        },
      );
    },
  };
}
