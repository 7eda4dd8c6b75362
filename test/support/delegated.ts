/** What a process has done for its clients itself so far, and what it left to the gateway. */
export async function delegatedBy(
  url: string,
): Promise<{ readonly reads: number; readonly stores: number; readonly failures: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const count = (what: string): number =>
    Number(new RegExp(`^dcloud_delegated_${what}_total (\\d+)$`, 'm').exec(text)?.[1] ?? NaN);
  return { reads: count('reads'), stores: count('stores'), failures: count('failures') };
}
