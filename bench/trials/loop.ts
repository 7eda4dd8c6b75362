import { randomBytes } from 'node:crypto';
import { PAGE, PAGE_BYTES } from '../filled-store.ts';
import { sized } from '../kit/bench.ts';
import { measure } from '../kit/measure.ts';
import { putOf, serversThat } from '../kit/servers.ts';
import { KiB, MiB, nameOfBytes } from '../kit/sizes.ts';
import type { Row, Trials, Turn, Turns } from '../kit/trial.ts';
import { get, idOf, list } from '../requests.ts';
import type { Subject } from '../subject.ts';

const SMALL = 4 * KiB;
const [FEW, MANY] = [4, 64];
/** Between two looks of the server at how late its event loop is; it counts as late what is beyond. */
const RESOLUTION_MS = 10;
const P99 = /^nodejs_eventloop_lag_p99_seconds ([\d.e-]+)$/m;

/** How late the event loop of the server is while it has much to do: what is not done in turns makes all others wait. */
export const loop: Trials = (bench) => {
  const bytes = sized(bench, { quick: MiB, usual: 64 * MiB, long: 256 * MiB });
  const operations = sized(bench, { quick: PAGE, usual: 5000, long: 20_000 });
  const pages = sized(bench, { quick: 20, usual: 300, long: 1000 });
  const titles = {
    put: `put ${nameOfBytes(bytes)}, ${FEW} clients`,
    get: `get ${nameOfBytes(bytes)}, ${FEW} clients`,
    'put-small': `put ${nameOfBytes(SMALL)}, ${MANY} clients`,
    'get-small': `get ${nameOfBytes(SMALL)}, ${MANY} clients`,
    list: `list ${PAGE}, ${FEW} clients`,
  } as const;
  const rows = Object.entries(titles).map(([deed, title]): Row => ({
    name: `loop-${deed}`,
    title: `the event loop beside: ${title}`,
    unit: 'loop p99, ms',
    measured: `product.${deed}`,
    floor: 'nothing: the event loop of a server that rests is not late',
  }));
  const few = { clients: FEW, operations: 2 * FEW, bytesEach: bytes };
  const many = { clients: MANY, operations, bytesEach: SMALL };
  const take = async (server: Subject): Promise<Turns> => ({
    ...(await putAndGet(server, few, { put: 'put', get: 'get' })),
    ...(await putAndGet(server, many, { put: 'put-small', get: 'get-small' })),
    list: await late(server, () =>
      measure(server, { clients: FEW, operations: pages, bytesEach: PAGE_BYTES }, () => list(PAGE, undefined)),
    ),
  });
  return [{ name: 'loop', rows, open: () => serversThat({ directory: bench.directory, products: { product: {} } }, take) }];
};

async function putAndGet(
  server: Subject,
  size: Parameters<typeof measure>[1],
  names: { readonly put: string; readonly get: string },
): Promise<Turns> {
  const ids: string[] = [];
  const put = putOf(randomBytes, size.bytesEach);
  return {
    [names.put]: await late(server, () => measure(server, size, put, (answer) => ids.push(idOf(answer)))),
    [names.get]: await late(server, () => measure(server, size, (operation) => get(ids[operation % ids.length] ?? ''))),
  };
}

/** The server counts anew whenever it was asked. */
async function late(server: Subject, turn: () => Promise<Turn>): Promise<Turn> {
  await lateMs(server);
  const done = await turn();
  return { ...done, loopMs: await lateMs(server) };
}

async function lateMs({ port }: Subject): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Math.max(0, Number(P99.exec(metrics)?.[1]) * 1000 - RESOLUTION_MS);
}
