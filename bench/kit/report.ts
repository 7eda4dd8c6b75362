import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Bench, isTmpfs } from './bench.ts';
import { drawPicture } from './draw-picture.ts';
import type { RowResult } from './run-trial.ts';
import { GiB } from './sizes.ts';
import { tableOf } from './table.ts';

/** Where and how it was measured. */
interface Circumstances {
  readonly takenAt: string;
  readonly seconds: number;
  readonly effort: Bench['effort'];
  readonly pairs: number;
  readonly machine: string;
  readonly fileSystem: 'tmpfs' | 'disk';
  /** Of the last minute, before and after. */
  readonly load: readonly [number, number];
}

export interface Began {
  readonly at: Date;
  readonly load: number;
}

export function begin(): Began {
  return { at: new Date(), load: loadavg()[0] ?? NaN };
}

function circumstancesOf({ directory, effort, pairs }: Bench, began: Began): Circumstances {
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? arch()}, ${Math.round(totalmem() / GiB)} GiB, Node.js ${process.version}`;
  const seconds = Math.round((Date.now() - began.at.getTime()) / 1000);
  const load = [began.load, loadavg()[0] ?? NaN] as const;
  const fileSystem = isTmpfs(directory) ? 'tmpfs' : 'disk';
  return { takenAt: began.at.toISOString(), seconds, effort, pairs, machine, fileSystem, load };
}

/** Writes `bench.md`, `bench.json` and `bench.svg`; returns the Markdown. */
export function report(target: string, bench: Bench, began: Began, rows: readonly RowResult[]): string {
  const circumstances = circumstancesOf(bench, began);
  const said = inWords(circumstances);
  const markdown = markdownOf(said, rows);
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'bench.md'), markdown);
  writeFileSync(join(target, 'bench.json'), `${JSON.stringify({ ...circumstances, rows }, null, 2)}\n`);
  writeFileSync(join(target, 'bench.svg'), drawPicture(said, rows));
  return markdown;
}

function inWords({ takenAt, seconds, effort, pairs, machine, fileSystem, load }: Circumstances): string {
  const when = `${takenAt.slice(0, 16).replace('T', ' ')} UTC, ${seconds} s`;
  const [before, after] = load.map((each) => each.toFixed(1));
  return `${when}; ${effort} sizes, ${pairs} pairs; ${machine}; ${fileSystem}; load ${before ?? ''} before, ${after ?? ''} after`;
}

function markdownOf(said: string, rows: readonly RowResult[]): string {
  const single = rows.filter(({ point }) => point === undefined);
  const plotted = rows.filter(({ point }) => point !== undefined);
  const growth = plotted.length === 0 ? '' : `\n## How it grows\n\n${tableOf(plotted)}\n`;
  return `# DistributedCloud beside its floors\n\n${said}\n\n![ratios and growth](bench.svg)\n\n${tableOf(single)}\n${growth}`;
}
