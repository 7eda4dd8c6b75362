import { Client } from './client.js';
import type { PeerCluster } from './peer-cluster.js';
import { eventually } from './shard-files.js';

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
  size_per_slice: 262_144,
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

/** Waits until peers have seen all nodes and move bodies themselves: at their start they leave them to the gateway. */
export async function untilDelegating(cluster: PeerCluster, peers: readonly number[]): Promise<void> {
  for (const i of peers) {
    const client = new Client(cluster.url(i));
    const stores = await eventually(
      async () => {
        const { id } = await client.put('a try', new Uint8Array(DELEGATING.limits.delegate_bytes_min));
        await client.remove(id);
        return (await delegatedBy(cluster.url(i))).stores;
      },
      (count) => count > 0,
      60_000,
    );
    if (stores === 0) throw new Error(`peer ${i} leaves all bodies to the gateway`);
  }
}
