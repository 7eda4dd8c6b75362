/** What only the account's own clients read, by name. `mounts`: what was accepted of others (the sharing part's format). */
export type VaultName = 'contacts' | 'settings' | 'mounts' | 'devices';

/** The account's documents, sealed under keys of the master key, each replaced by compare-and-set. */
export interface Vault {
  /** Undefined if there is none yet. @throws SdkError `damaged`, `rolled-back` */
  read(name: VaultName, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /**
   * Reads, changes and writes; anew if another device was faster. Writes nothing if `change` gives undefined.
   * @param change may be called more than once
   */
  update(
    name: VaultName,
    change: (before: Uint8Array | undefined) => Uint8Array | undefined | Promise<Uint8Array | undefined>,
    signal: AbortSignal,
  ): Promise<void>;
}
