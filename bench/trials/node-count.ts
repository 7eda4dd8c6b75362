import { randomBytes } from 'node:crypto';
import { type Bench, sized } from '../kit/bench.ts';
import { measure } from '../kit/measure.ts';
import { filesOf, putOf, removeAll, serversThat } from '../kit/servers.ts';
import { KiB, MiB, nameOfBytes } from '../kit/sizes.ts';
import type { Plot, Row, Trial, Trials, Turns } from '../kit/trial.ts';
import { idOf, put } from '../requests.ts';

const FLOOR = 'the same on two copies, whatever the number of nodes';

const LARGE: Plot = { title: 'Put of a large file by number of nodes, 1 client', x: 'nodes' };
const SMALL: Plot = { title: 'Put of 4 KiB by number of nodes, 16 clients', x: 'nodes' };
const COUNTS = [2, 4, 8, 16, 32, 64];

/** Puts to stores of ever more nodes, which are folders: what it costs to choose among them and to keep them. */
export const nodeCounts: Trials = (bench) =>
  sized(bench, { quick: [2, 4, 8], usual: COUNTS, long: COUNTS }).map((nodes) => trialOf(bench, nodes));

function trialOf(bench: Bench, nodes: number): Trial {
  const large = sized(bench, { quick: 4 * MiB, usual: 128 * MiB, long: 512 * MiB });
  const operations = sized(bench, { quick: 64, usual: 2000, long: 8000 });
  const row = (series: string, plot: Plot): Omit<Row, 'title' | 'unit'> => ({
    name: `node-count-${nodes}-${series}`,
    measured: `product.${series}`,
    beside: `floor.${series}`,
    floor: FLOOR,
    point: { plot, series: 'put', x: nodes },
  });
  const rows: readonly Row[] = [
    { ...row('large', LARGE), title: `put ${nameOfBytes(large)}, ${nodes} nodes`, unit: 'MB/s' },
    { ...row('small', SMALL), title: `put 4 KiB, 16 clients, ${nodes} nodes`, unit: 'requests/s' },
  ];
  return {
    name: `node-count-${nodes}`,
    turnsMax: 3,
    rows,
    open: () => {
      const request = putOf(randomBytes, large);
      const body = randomBytes(4 * KiB);
      return serversThat(
        { directory: bench.directory, products: { product: { node_count: nodes } }, floors: { floor: 'sealed' } },
        async (server): Promise<Turns> => {
          const before = await filesOf(server);
          const ids: string[] = [];
          const one = { clients: 1, operations: 1, bytesEach: large };
          const written = await measure(server, one, request, (answer) => ids.push(idOf(answer)));
          await removeAll(server, ids, before);
          const small = await measure(server, { clients: 16, operations, bytesEach: body.length }, () => put(body));
          return { large: written, small };
        },
      );
    },
  };
}
