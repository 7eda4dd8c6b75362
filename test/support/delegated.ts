/** What a process has done for its clients itself so far, and what it left to the gateway. */
export async function delegatedBy(
  url: string,
): Promise<{ readonly reads: number; readonly stores: number; readonly failures: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const count = (what: string): number =>
    Number(new RegExp(`^dcloud_delegated_${what}_total (\\d+)$`, 'm').exec(text)?.[1] ?? NaN);
  return { reads: count('reads'), stores: count('stores'), failures: count('failures') };
}

/** Slices of a file each, and a node that is doubted as late as may be: the tests' machine has more to do than these processes. */
export const DELEGATING = {
  size_per_slice: 65_536,
  log_level: 'warn',
  pack_below: 0,
  limits: {
    delegate_bytes_min: 100_000,
    orphan_grace_ms: 0,
    collect_interval_ms: 200,
    probe_interval_ms: 400,
    probe_ms_max: 1200,
  },
};
