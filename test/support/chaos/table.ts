import type { ChaosTarget, Deed } from './chaos-target.ts';
import { type ChaosOutcome, ChaosRun } from './chaos-run.ts';
import type { Random } from '../crash/random.ts';

const TABLE_KINDS = ['kill', 'freeze', 'empty'] as const;
/** At the start. */
const GATEWAY = 1;
type TableKind = (typeof TABLE_KINDS)[number];

/** One run: a cluster of N that is to bear R, and which of its nodes are struck. The first is the gateway at the start. */
export interface Cell {
  readonly nodes: number;
  readonly redundancy: number;
  readonly kind: TableKind;
  readonly struck: readonly number[];
}

/** What the runs with the same N, R and kind came to together. */
interface Row {
  readonly nodes: number;
  readonly redundancy: number;
  readonly kind: TableKind;
  runs: number;
  acknowledged: number;
  underStrike: number;
  unanswered: number;
  checked: number;
  violations: number;
}

/** Every N of 3, 4 and 5, every R from 1 to N - 1, every kind, and every choice of R nodes. */
export function allCells(): readonly Cell[] {
  return [3, 4, 5].flatMap((nodes) =>
    Array.from({ length: nodes - 1 }, (_, at) => at + 1).flatMap((redundancy) =>
      TABLE_KINDS.flatMap((kind) => choices(nodes, redundancy).map((struck) => ({ nodes, redundancy, kind, struck }))),
    ),
  );
}

/** One choice of nodes for each N, R and kind. */
export function someCells(random: Random): readonly Cell[] {
  const groups = Map.groupBy(allCells(), ({ nodes, redundancy, kind }) => `${nodes} ${redundancy} ${kind}`);
  return [...groups.values()].map((cells) => random.pick(cells));
}

function choices(nodes: number, count: number, from = 1): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  return Array.from({ length: nodes - from + 1 }, (_, at) => at + from).flatMap((first) =>
    choices(nodes, count - 1, first + 1).map((rest) => [first, ...rest]),
  );
}

/** The deeds of a run. Who strikes the gateway has another node take over, as the operator of a cluster would. */
function deedsOf({ nodes, kind, struck }: Cell): readonly Deed[] {
  const heir = Array.from({ length: nodes }, (_, at) => at + 1).find((node) => !struck.includes(node)) ?? 0;
  return struck.map((node) => {
    if (node !== GATEWAY) return { kind, node };
    return { kind: 'take-over', node, heir, isFrozen: kind === 'freeze', isEmptied: kind === 'empty' };
  });
}

interface TableParts {
  readonly seed: number;
  readonly directory: string;
  readonly start: (cell: Cell, parts: { readonly random: Random; readonly directory: string }) => Promise<ChaosTarget>;
  readonly say: (line: string) => void;
}

/** Runs one after the other, and tells of each; the outcomes with violations come back with the rows. */
export async function runTable(
  cells: readonly Cell[],
  { seed, directory, start, say }: TableParts,
): Promise<{ readonly rows: readonly Row[]; readonly failed: readonly ChaosOutcome[] }> {
  const rows = new Map<string, Row>();
  const failed: ChaosOutcome[] = [];
  for (const [at, cell] of cells.entries()) {
    const outcome = await ChaosRun.run({
      seed: seed + at,
      msMax: 0,
      loadMsMax: 2000,
      strikeMsMax: 3000,
      directory,
      strike: deedsOf(cell),
      strikeKinds: [],
      start: (parts) => start(cell, parts),
    });
    if (outcome.violations.length > 0) failed.push(outcome);
    add(rows, cell, outcome);
    say(`${spell(cell)}: ${outcome.underStrike} changes acknowledged meanwhile, ${outcome.violations.length} violations`);
  }
  return { rows: [...rows.values()], failed };
}

function add(rows: Map<string, Row>, { nodes, redundancy, kind }: Cell, outcome: ChaosOutcome): void {
  const key = `${nodes} ${redundancy} ${kind}`;
  const empty = { runs: 0, acknowledged: 0, underStrike: 0, unanswered: 0, checked: 0, violations: 0 };
  const row = rows.get(key) ?? { nodes, redundancy, kind, ...empty };
  rows.set(key, row);
  row.runs += 1;
  row.violations += outcome.violations.length;
  for (const sum of ['acknowledged', 'underStrike', 'unanswered', 'checked'] as const) row[sum] += outcome[sum];
}

function spell({ nodes, redundancy, kind, struck }: Cell): string {
  return `N = ${nodes}, R = ${redundancy}, ${kind} ${struck.join(' and ')}`;
}

export function spellTable(rows: readonly Row[]): string {
  const head = [
    'N',
    'R',
    'deed',
    'runs',
    'acknowledged',
    'of them during it',
    'without an answer',
    'files checked',
    'violations',
  ];
  const body = rows.map((row) => [
    row.nodes,
    row.redundancy,
    row.kind,
    row.runs,
    row.acknowledged,
    row.underStrike,
    row.unanswered,
    row.checked,
    row.violations,
  ]);
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
