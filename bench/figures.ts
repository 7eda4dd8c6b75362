export function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

/** Three digits that count, and no fraction of what is large. */
export function format(number: number): string {
  return number >= 100 ? number.toFixed(0) : number.toPrecision(3);
}
