import type { RowResult } from './run-trial.ts';
import { label, line, rectangle } from './svg.ts';
import { goalOf } from './table.ts';
import { unitOf } from './trial.ts';

const LINE_PX = 20;
const NAMES_PX = 350;
const BARS_PX = 330;
const TOP_PX = 44;
/** What is faster than this many times its floor is cut off. */
const SHARE_MAX = 1.5;
const GOAL_COLOUR = '#111';

/** How fast the product is as a share of its floor, for each row that has one, with what must be reached. Width and height follow from the rows. */
export function drawBars(rows: readonly RowResult[]): { readonly height: number; readonly drawing: string } {
  const drawn = rows.filter(({ ratio, unit }) => !Number.isNaN(ratio) && unit !== 'peak, MB');
  const x = (share: number): number => NAMES_PX + (Math.min(share, SHARE_MAX) / SHARE_MAX) * BARS_PX;
  const height = TOP_PX + drawn.length * LINE_PX + 10;
  const grid = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5].map(
    (share) =>
      line([x(share), TOP_PX - 4, x(share), height - 10], { stroke: share === 1 ? '#888' : '#ddd' }) +
      label([x(share), TOP_PX - 9], String(share), { 'text-anchor': 'middle', fill: '#777', 'font-size': 10 }),
  );
  const title = label(
    [0, 16],
    'Speed as a share of the floor: 1 is as fast, a mark is a goal, green has reached it and red has not',
    {
      'font-weight': 600,
    },
  );
  const bars = drawn.map((row, at) => barOf(row, TOP_PX + at * LINE_PX, x));
  return { height, drawing: [title, ...grid, ...bars].join('\n') };
}

function barOf(row: RowResult, y: number, x: (share: number) => number): string {
  // A time that is twice as long is half as fast.
  const shareOf = (ratio: number): number => (unitOf(row.unit).isMoreBetter ? ratio : 1 / ratio);
  const share = shareOf(row.ratio);
  const goal = row.goal?.of === 'ratio' ? shareOf(row.goal.least ?? row.goal.most ?? NaN) : NaN;
  const colour = row.isReached === undefined ? '#7a9cc6' : row.isReached ? '#4c9f70' : '#c8553d';
  const said = row.goal?.of === 'value' ? `${share.toFixed(2)}   (goal ${goalOf(row.goal)} ${row.unit})` : share.toFixed(2);
  return [
    label([NAMES_PX - 8, y + 13], row.title, { 'text-anchor': 'end' }),
    rectangle({ x: x(0), y: y + 3, width: x(share) - x(0), height: LINE_PX - 7, fill: colour }),
    Number.isNaN(goal) ? '' : line([x(goal), y, x(goal), y + LINE_PX - 1], { stroke: GOAL_COLOUR, 'stroke-width': 2 }),
    label([Math.max(x(share), Number.isNaN(goal) ? 0 : x(goal)) + 6, y + 13], said, { 'font-size': 11 }),
  ].join('');
}
