export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** `4 KiB`, `1.5 MiB`. */
export function nameOfBytes(bytes: number): string {
  for (const [name, unit] of [
    ['GiB', GiB],
    ['MiB', MiB],
    ['KiB', KiB],
  ] as const)
    if (bytes >= unit) return `${Number((bytes / unit).toFixed(1))} ${name}`;
  return `${bytes} B`;
}

/** `10,000`. */
export function nameOfCount(count: number): string {
  return count.toLocaleString('en-US');
}
