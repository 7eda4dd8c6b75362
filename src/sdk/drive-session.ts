import type { MasterKey } from './account-keys.js';
import type { ContactBook } from './contact-book.js';
import type { FloeBackEnd } from './floe-back-end.js';
import type { IdPool } from './id-pool.js';
import type { Identity } from './identity.js';
import type { IdentityBundle } from './identity-bundle.js';
import type { NodeRecord } from './drive-record.js';
import type { PasswordHash } from './password-cost.js';
import type { SeenMemory } from './seen-memory.js';
import type { Transport } from './transport.js';
import type { Vault } from './vault.js';
import type { Owner, WriterRef } from './writers.js';

/** The keys of an account that is logged in. They are replaced as a whole when one of them changes: nobody keeps them over a request. */
export interface AccountKeys {
  readonly master: MasterKey;
  readonly identity: Identity;
  /** The newest own bundle, as the server keeps it and as it was checked. */
  readonly bundle: IdentityBundle;
  /** The account as owner of its tree, with all keys that it ever signed with. */
  readonly owner: Owner;
}

/** What an account's drive is worked on with. The parts of the SDK (tree, content, sharing) are built on it. */
export interface DriveSession {
  readonly account: { readonly id: string; readonly userName: string };
  /** Speaks as the session. */
  readonly transport: Transport;
  readonly keys: AccountKeys;
  /** Who signs by the own tree; in what is shared, with the list of writers added. */
  readonly writer: WriterRef;
  readonly floe: FloeBackEnd;
  /** Argon2id, for links with a password. */
  readonly passwordHash: PasswordHash | undefined;
  /** Ids that the server gave out, for nodes, links and grants. */
  readonly ids: IdPool;
  readonly seen: SeenMemory;
  readonly vault: Vault;
  readonly contacts: ContactBook;
  /** The root folder with its entity tag and its owner's signature checked: what the tree begins with. Made if there is none. */
  root(signal: AbortSignal): Promise<RootNode>;
  /** Reads the keys anew: another device may have changed them (`identity-outdated`). @throws SdkError `session-over` if they cannot be opened any more */
  refresh(signal: AbortSignal): Promise<void>;
}

export interface RootNode {
  readonly record: NodeRecord;
  readonly etag: string;
}
