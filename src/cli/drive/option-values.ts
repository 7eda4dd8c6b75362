import { InvalidArgumentError } from 'commander';

const PERIODS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`, `12h`, `30d` in milliseconds. */
export function duration(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,6})([mhd])$/u.exec(text) ?? [];
  if (digits === undefined || Number(digits) === 0) throw new InvalidArgumentError('It must be like 90m, 12h or 30d.');
  return Number(digits) * (PERIODS[unit] ?? 0);
}

/** A whole number from 1 on. */
export function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/u.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return Number(text);
}

/** An option that can be given several times. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
