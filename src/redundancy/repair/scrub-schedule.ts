const HOUR_MS = 3_600_000;
/** Share of the interval in which a scheduled scrub is done, so that there is room for what keeps it up. */
const SHARE = 0.9;
/** A slower scrub than this would spare nobody anything. */
const BYTES_PER_SECOND_LEAST = 1024 * 1024;

/** When a scheduled scrub begins, milliseconds since 1970: at once if a node was never proven, else when the oldest proof has become as old as the interval. */
export function nextScrubAt(proofs: readonly (number | undefined)[], intervalHours: number): number {
  return Math.min(...proofs.map((at) => (at === undefined ? 0 : at + intervalHours * HOUR_MS)));
}

/** Bytes to be read in a second, so that all of them are read once in an interval. */
export function scrubRate(
  bytes: number,
  { intervalHours, bytesPerSecondMost }: { readonly intervalHours: number; readonly bytesPerSecondMost: number },
): number {
  const spread = Math.ceil((1000 * bytes) / (SHARE * intervalHours * HOUR_MS));
  return Math.min(bytesPerSecondMost, Math.max(BYTES_PER_SECOND_LEAST, spread));
}
