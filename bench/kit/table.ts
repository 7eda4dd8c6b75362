import { format } from '../figures.ts';
import type { RowResult, SideResult } from './run-trial.ts';
import type { Goal } from './trial.ts';

const HEADS = [
  'row',
  'unit',
  'measured',
  'floor',
  'ratio',
  'goal',
  'reached',
  'p50 / p99, ms',
  'floor’s p50 / p99',
  'CPU s/GiB',
  'floor’s',
  'peak MiB',
  'floor’s',
];
const NOTHING = '–';

/** A table in Markdown, a line for each row, and below it what each of the floors does. */
export function tableOf(rows: readonly RowResult[]): string {
  const floors = [...new Set(rows.map(({ floor }) => floor))];
  const lines = [HEADS, HEADS.map(() => '---'), ...rows.map((row) => cellsOf(row, letterOf(floors.indexOf(row.floor))))];
  const table = lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  const legend = floors.map((floor, at) => `- **${letterOf(at)}**: ${floor}`).join('\n');
  return `${table}\n\nThe floors:\n\n${legend}`;
}

function letterOf(at: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + at);
}

function cellsOf({ title, unit, product, floorResult, ratio, goal, isReached }: RowResult, letter: string): readonly string[] {
  const both = (say: (side: SideResult) => string): readonly string[] => [
    say(product),
    floorResult === undefined ? NOTHING : say(floorResult),
  ];
  return [
    title,
    unit,
    cell(product.value),
    floorResult === undefined ? NOTHING : `${cell(floorResult.value)} ${letter}`,
    Number.isNaN(ratio) ? NOTHING : ratio.toFixed(2),
    goalOf(goal),
    verdictOf(goal, isReached),
    ...both(({ p50, p99 }) => (Number.isNaN(p50) ? NOTHING : `${format(p50)} / ${format(p99)}`)),
    ...both(({ cpuPerGiB }) => cell(cpuPerGiB)),
    ...both(({ peakMiB }) => (Number.isNaN(peakMiB) ? NOTHING : peakMiB.toFixed(0))),
  ];
}

function cell(value: number): string {
  return Number.isNaN(value) ? NOTHING : format(value);
}

/** `ratio ≥ 0.75`, `≤ 600`. */
export function goalOf(goal: Goal | undefined): string {
  if (goal === undefined) return NOTHING;
  const bound = goal.least === undefined ? `≤ ${String(goal.most)}` : `≥ ${goal.least}`;
  return goal.of === 'ratio' ? `ratio ${bound}` : bound;
}

function verdictOf(goal: Goal | undefined, isReached: boolean | undefined): string {
  if (goal === undefined) return NOTHING;
  if (isReached === undefined) return 'sizes too small to tell';
  return isReached ? 'yes' : '**no**';
}
