import { openSecret } from '../cluster/cluster-secret.js';
import { refusalOf } from '../cluster/spoken.js';
import { DomainError } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import { LiveTls } from '../config/live-tls.js';
import { PeerClient } from '../nodes/peer/peer-client.js';
import { PeerSecret } from '../nodes/peer/peer-secret.js';
import { NodeError } from '../nodes/storage-node.js';

/** `dcloud takeover`: asks the process of a peer to become the gateway, and prints what it says. */
export async function takeOver(config: AppConfig, { force }: { readonly force?: boolean }): Promise<void> {
  const { node, peers, limits } = config;
  const origin = node === null ? undefined : peers[node - 1];
  if (origin === undefined)
    throw new DomainError('invalid-config', 'peers is empty: without peers there is nothing to take over');
  const client = new PeerClient({ origin, secret: PeerSecret.of(openSecret(config)), limits, tls: LiveTls.read(config) });
  try {
    for await (const line of client.takeOver(force === true, new AbortController().signal)) {
      const refusal = refusalOf(line);
      if (refusal !== undefined) throw refusal;
      process.stdout.write(`${line}\n`);
    }
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    throw new DomainError(
      'takeover-refused',
      `the process of node ${String(node)} at ${origin} did not do it: ${error.message}`,
      { cause: error },
    );
  } finally {
    await client.close();
  }
}
