/** The number in the middle, or half way between the two that are there. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const [low = NaN, high = NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return (low + high) / 2;
}

/** Three digits that count, and no fraction of what is large. */
export function format(number: number): string {
  return number >= 100 ? number.toFixed(0) : number.toPrecision(3);
}
