import { format } from '../figures.ts';
import type { RowResult } from './run-trial.ts';
import { nameOfBytes, nameOfCount } from './sizes.ts';
import { dot, label, line, logarithmic, polyline } from './svg.ts';
import type { Plot } from './trial.ts';

export const PLOT_WIDTH_PX = 440;
export const PLOT_HEIGHT_PX = 290;
const [LEFT, RIGHT, TOP, BOTTOM] = [62, 100, 34, 48];
const COLOURS = ['#2f6db5', '#c8553d', '#4c9f70'];
const GREY = { fill: '#777', 'font-size': 10 };

interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
  readonly colour: string;
  readonly isFloor: boolean;
}

/** One plot: product and floor of each series over x, both axes logarithmic. */
export function drawPlot({ title, x: along }: Plot, rows: readonly RowResult[]): string {
  const series = seriesOf(rows);
  const all = series.flatMap(({ points }) => points);
  const [right, bottom] = [PLOT_WIDTH_PX - RIGHT, PLOT_HEIGHT_PX - BOTTOM];
  const xs = [...new Set(all.map(([x]) => x))];
  const x = logarithmic(xs, [LEFT, right]);
  const y = logarithmic(
    all.map(([, value]) => value),
    [bottom, TOP],
  );
  const nameOf = along === 'size of a file' ? nameOfBytes : nameOfCount;
  const steps =
    y.steps.length > 8 ? y.steps.filter((step) => Number.isInteger(Math.round(Math.log10(step) * 1e6) / 1e6)) : y.steps;
  return [
    label([LEFT, 16], title, { 'font-weight': 600 }),
    label([LEFT, TOP - 6], rows[0]?.unit ?? '', GREY),
    ...steps.map(
      (step) =>
        line([LEFT, y.at(step), right, y.at(step)], { stroke: '#ddd' }) +
        label([LEFT - 6, y.at(step) + 4], Number(format(step)).toLocaleString('en-US'), { 'text-anchor': 'end', ...GREY }),
    ),
    ...xs.map(
      (value) =>
        line([x.at(value), bottom, x.at(value), bottom + 4], { stroke: '#777' }) +
        label([x.at(value), bottom + 16], nameOf(value), { 'text-anchor': 'middle', ...GREY }),
    ),
    label([(LEFT + right) / 2, bottom + 34], along, { 'text-anchor': 'middle', ...GREY }),
    line([LEFT, bottom, right, bottom], { stroke: '#777' }),
    ...series.map((each) => drawSeries(each, x.at, y.at)),
    ...legend(series, right),
  ].join('\n');
}

function seriesOf(rows: readonly RowResult[]): readonly Series[] {
  const names = [...new Set(rows.map(({ point }) => point?.series ?? ''))];
  return names.flatMap((name, at): Series[] => {
    const mine = rows.filter(({ point }) => point?.series === name);
    const colour = COLOURS[at % COLOURS.length] ?? '#000';
    const pointsOf = (value: (row: RowResult) => number): [number, number][] =>
      mine.map((row): [number, number] => [row.point?.x ?? NaN, value(row)]).filter(([, each]) => each > 0);
    return [
      { name, colour, isFloor: false, points: pointsOf(({ product }) => product.value) },
      { name: `${name}, floor`, colour, isFloor: true, points: pointsOf(({ floorResult }) => floorResult?.value ?? NaN) },
    ];
  });
}

function drawSeries({ points, colour, isFloor }: Series, x: (value: number) => number, y: (value: number) => number): string {
  const places = points.map(([at, value]) => [x(at), y(value)] as const);
  const stroke = { stroke: colour, 'stroke-width': isFloor ? 1.2 : 2, ...(isFloor ? { 'stroke-dasharray': '4 3' } : {}) };
  return (
    polyline(places, stroke) + places.map((place) => dot(place, { fill: isFloor ? '#fff' : colour, stroke: colour })).join('')
  );
}

function legend(series: readonly Series[], right: number): readonly string[] {
  return series.map(({ name, colour, isFloor }, at) => {
    const y = TOP + 8 + at * 18;
    const stroke = { stroke: colour, 'stroke-width': 2, ...(isFloor ? { 'stroke-dasharray': '4 3' } : {}) };
    return line([right + 12, y, right + 34, y], stroke) + label([right + 40, y + 4], name, { 'font-size': 11 });
  });
}
