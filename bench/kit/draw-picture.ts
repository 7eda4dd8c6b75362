import { drawBars } from './draw-bars.ts';
import { drawPlot, PLOT_HEIGHT_PX, PLOT_WIDTH_PX } from './draw-plot.ts';
import type { RowResult } from './run-trial.ts';
import { label, moved, picture } from './svg.ts';

const MARGIN_PX = 24;
const HEAD_PX = 44;
const WIDTH_PX = 2 * PLOT_WIDTH_PX + 2 * MARGIN_PX;

/** Bars of all rows that have a floor, and below them the plots, as SVG. */
export function drawPicture(heading: string, rows: readonly RowResult[]): string {
  const bars = drawBars(rows.filter(({ point }) => point === undefined));
  const plots = [...new Set(rows.flatMap(({ point }) => (point === undefined ? [] : [point.plot])))];
  const below = HEAD_PX + bars.height + MARGIN_PX;
  const drawn = plots.map((plot, at) => {
    const place = [MARGIN_PX + (at % 2) * PLOT_WIDTH_PX, below + Math.floor(at / 2) * PLOT_HEIGHT_PX] as const;
    return moved(
      place,
      drawPlot(
        plot,
        rows.filter(({ point }) => point?.plot === plot),
      ),
    );
  });
  const height = below + Math.ceil(plots.length / 2) * PLOT_HEIGHT_PX;
  const head = label([MARGIN_PX, 28], heading, { 'font-size': 13 });
  return picture(WIDTH_PX, height, [head, moved([MARGIN_PX, HEAD_PX], bars.drawing), ...drawn].join('\n'));
}
