import type { MasterKey } from './account-keys.js';
import { openAccount, type OpenedAccount } from './account-seal.js';
import { isEqual } from './bytes.js';
import { fetchIdentities } from './contact-book.js';
import type { AccountKeys } from './drive-session.js';
import { SdkError } from './errors.js';
import { assertOwnBundle, openBundle, type IdentityBundle } from './identity-bundle.js';
import { identityOf } from './identity.js';
import type { KeptBundle } from './login-calls.js';
import type { SeenMemory } from './seen-memory.js';
import type { Transport } from './transport.js';
import type { Owner } from './writers.js';

/** The keys of an account together with how the server keeps them. */
export interface AccountState extends AccountKeys {
  readonly opened: OpenedAccount;
  readonly kept: KeptBundle;
}

export interface AccountReading {
  /** As the account's session. */
  readonly transport: Transport;
  readonly userName: string;
  readonly master: MasterKey;
  readonly seen: SeenMemory;
}

/**
 * Opens what the server keeps of an account, and checks that what it shows of it to others is ours.
 * @throws SdkError `identity-changed`, `rolled-back`, `damaged`, `session-over`
 */
export async function readAccountState(
  { transport, userName, master, seen }: AccountReading,
  kept: KeptBundle,
  signal: AbortSignal,
): Promise<AccountState> {
  const opened = await openAccount(kept.sealed, kept.identity, master);
  const bundle = await openBundle(kept.identity);
  const identity = await identityOf(opened.seeds, { accountId: master.accountId, version: opened.identityVersion });
  assertOwnBundle(bundle, identity);
  if (bundle.userName !== userName) throw new SdkError('identity-changed');
  const { revision, hash, previousHash } = opened;
  seen.meet('account', master.accountId, { revision, hash, previousHash, generation: master.generation });
  return { master, identity, bundle, opened, kept, owner: await ownerOf(transport, bundle, signal) };
}

/** The account with all keys that it ever had. The newest bundle, which is ours, names those before it by their hashes. */
async function ownerOf(transport: Transport, own: IdentityBundle, signal: AbortSignal): Promise<Owner> {
  const { accountId, version, verifyKey } = own;
  if (version === 1) return { accountId, verifyKeys: new Map([[version, verifyKey]]) };
  const chain = await fetchIdentities(transport, accountId, signal);
  if (!chain.some(({ hash }) => isEqual(hash, own.hash))) throw new SdkError('identity-changed');
  return { accountId, verifyKeys: new Map(chain.map((bundle) => [bundle.version, bundle.verifyKey])) };
}
