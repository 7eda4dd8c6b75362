import { randomBytes, randomInt } from 'node:crypto';
import { sized } from '../kit/bench.ts';
import { measure } from '../kit/measure.ts';
import { fill, serversThat } from '../kit/servers.ts';
import { MiB, nameOfBytes } from '../kit/sizes.ts';
import type { Trials, Turns } from '../kit/trial.ts';
import type { NextRequest } from '../load.ts';
import { get, idOf, put, remove, stat } from '../requests.ts';
import type { Subject } from '../subject.ts';

const CLIENTS = 20;
/** Percent of all requests, as `warp mixed` has them; the rest are deletions. */
const [GETS, STATS, PUTS] = [45, 30, 15];

/** Files that are there, and of which some are being read: those are not deleted meanwhile. */
class Pool {
  private readonly ids: string[];
  private readonly users = new Map<string, number>();

  constructor(ids: readonly string[]) {
    this.ids = [...ids];
  }

  add(id: string): void {
    this.ids.push(id);
  }

  /** Any file, held until what is made of it is answered. */
  held(request: (id: string) => NextRequest): NextRequest {
    const id = this.ids[randomInt(this.ids.length)] ?? '';
    this.users.set(id, (this.users.get(id) ?? 0) + 1);
    return { ...request(id), onAnswer: () => this.users.set(id, (this.users.get(id) ?? 1) - 1) };
  }

  /** A file that nobody holds, which is not there any more then. */
  take(): string | undefined {
    const at = this.ids.findIndex((id) => (this.users.get(id) ?? 0) === 0);
    return at < 0 ? undefined : this.ids.splice(at, 1)[0];
  }
}

/** 45 % gets, 30 % stats, 15 % puts and 10 % deletions, in no order. */
export const mixed: Trials = (bench) => {
  const bytes = sized(bench, { quick: MiB / 16, usual: MiB, long: 10 * MiB });
  const files = sized(bench, { quick: 40, usual: 200, long: 500 });
  const operations = sized(bench, { quick: 100, usual: 1000, long: 2000 });
  const body = randomBytes(bytes);
  // A get carries the body once, a put too, the others nothing.
  const size = { clients: CLIENTS, operations, bytesEach: (bytes * (GETS + PUTS)) / 100 };
  return [
    {
      name: 'mixed',
      rows: [
        {
          name: 'mixed',
          title: `get, stat, put, delete 45/30/15/10, ${nameOfBytes(bytes)}, ${CLIENTS} clients`,
          unit: 'requests/s',
          measured: 'product.all',
          beside: 'floor.all',
          floor: 'the same segments sealed, the same two writes and fsyncs',
        },
      ],
      open: () => {
        const pools = new Map<string, Pool>();
        const take = async (server: Subject, _: number, side: string): Promise<Turns> => {
          const fresh = async (): Promise<Pool> =>
            new Pool(await fill(server, { clients: CLIENTS, operations: files }, () => put(body)));
          const pool = pools.get(side) ?? (await fresh());
          pools.set(side, pool);
          return { all: await measure(server, size, () => next(pool, body)) };
        };
        return serversThat({ directory: bench.directory, products: { product: {} }, floors: { floor: 'sealed' } }, take);
      },
    },
  ];
};

function next(pool: Pool, body: Buffer): NextRequest {
  const dice = randomInt(100);
  if (dice < GETS) return pool.held(get);
  if (dice < GETS + STATS) return pool.held(stat);
  const doomed = dice < GETS + STATS + PUTS ? undefined : pool.take();
  return doomed === undefined ? { ...put(body), onAnswer: (answer) => pool.add(idOf(answer)) } : remove(doomed);
}
