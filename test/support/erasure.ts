/** All ways to choose `size` of the numbers `from` to `count` − 1. */
export function* choices(count: number, size: number, from = 0): Generator<readonly number[], void, undefined> {
  if (size === 0) yield [];
  for (let first = from; size > 0 && first < count; first += 1)
    for (const rest of choices(count, size - 1, first + 1)) yield [first, ...rest];
}

/** All shapes of at most so many shards, with at least one data slice and one of parity. */
export function* shapes(shardsMax: number): Generator<{ readonly k: number; readonly m: number }, void, undefined> {
  for (let k = 1; k < shardsMax; k += 1) for (let m = 1; k + m <= shardsMax; m += 1) yield { k, m };
}
