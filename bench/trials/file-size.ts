import { randomBytes } from 'node:crypto';
import { type Bench, sized } from '../kit/bench.ts';
import { measure } from '../kit/measure.ts';
import { filesOf, putOf, removeAll, serversThat } from '../kit/servers.ts';
import { GiB, KiB, MiB, nameOfBytes } from '../kit/sizes.ts';
import type { Plot, Trial, Trials, Turns } from '../kit/trial.ts';
import { get, idOf } from '../requests.ts';
import type { Subject } from '../subject.ts';

const SIZES = [KiB, 16 * KiB, 256 * KiB, 4 * MiB, 64 * MiB];
const CLIENTS = 4;
const DIRECTLY_MAX = 64 * KiB;

const PLOT: Plot = { title: 'Put and get by size of the file, 4 clients at most', x: 'size of a file' };

/** Puts and gets with files of each size. */
export const fileSizes: Trials = (bench) =>
  sized(bench, { quick: [KiB, 64 * KiB, MiB], usual: [...SIZES, 256 * MiB], long: [...SIZES, GiB] }).map((bytes) =>
    trialOf(bench, bytes),
  );

function trialOf(bench: Bench, bytes: number): Trial {
  const most = sized(bench, { quick: 4 * MiB, usual: 256 * MiB, long: GiB });
  const operationsMax = sized(bench, { quick: 20, usual: 1000, long: 4000 });
  const operations = Math.max(1, Math.min(operationsMax, Math.floor(most / bytes)));
  const size = { clients: Math.min(CLIENTS, operations), operations, bytesEach: bytes };
  return {
    name: `file-size-${bytes}`,
    turnsMax: 3,
    rows: (['put', 'get'] as const).map((deed) => ({
      name: `file-size-${bytes}-${deed}`,
      title: `${deed} ${nameOfBytes(bytes)}, ${size.clients} ${size.clients === 1 ? 'client' : 'clients'}`,
      unit: 'MB/s',
      measured: `product.${deed}`,
      beside: `floor.${deed}`,
      floor: 'the same segments sealed, the same two writes and fsyncs',
      point: { plot: PLOT, series: deed, x: bytes },
    })),
    open: () => {
      const request = putOf(randomBytes, bytes);
      return serversThat(
        { directory: bench.directory, products: { product: {} }, floors: { floor: 'sealed' } },
        async (server: Subject): Promise<Turns> => {
          const before = await filesOf(server);
          const ids: string[] = [];
          const written = await measure(server, size, request, (answer) => ids.push(idOf(answer)));
          const read = await measure(server, size, (operation) => get(ids[operation] ?? ''));
          if (bytes > DIRECTLY_MAX) await removeAll(server, ids, before);
          return { put: written, get: read };
        },
      );
    },
  };
}
