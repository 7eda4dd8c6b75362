import { coded, codingOf, kernels, SHAPES } from '../coding.ts';
import { sized } from '../kit/bench.ts';
import type { Goal, Row, Trials } from '../kit/trial.ts';

const FLOOR = 'copies the data in memory';
/** What must be reached with 4 + 2, in GB/s of data. */
const LEAST: Readonly<Record<'encode' | 'decode', number>> = { encode: 1.5, decode: 1.2 };

/** The erasure code on one core, with slices of 1 MiB that do not fit into a cache. */
export const codec: Trials = (bench) =>
  SHAPES.map((shape) => {
    const { k, m } = shape;
    const name = `codec-${k}-${m}`;
    const ms = sized(bench, { quick: 20, usual: 300, long: 1000 });
    const rows = (['encode', 'decode'] as const).map((deed): Row => {
      const title = `${deed} ${k} + ${m}${deed === 'decode' ? `, ${m} lost` : ''}`;
      const goal: Goal | undefined = k === 4 ? { of: 'value', least: LEAST[deed] } : undefined;
      const row = { measured: `codec.${deed}`, beside: 'copy.copy', floor: FLOOR, unit: 'GB/s of a core' } as const;
      return { ...row, name: `${name}-${deed}`, title, ...(goal === undefined ? {} : { goal }) };
    });
    return {
      name,
      rows,
      open: async () => {
        const [kernel] = await kernels();
        const { encode, decode, copy } = codingOf(kernel, shape);
        const sides = {
          codec: () => Promise.resolve({ encode: coded(shape, ms, encode), decode: coded(shape, ms, decode) }),
          copy: () => Promise.resolve({ copy: coded(shape, ms, copy) }),
        };
        return { sides, end: () => Promise.resolve() };
      },
    };
  });
