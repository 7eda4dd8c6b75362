import { openForSelf, sealForSelf, type MasterKey } from './account-keys.js';
import { isEqual, sha256, toBase64Url, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { requireEtag } from './login-calls.js';
import { repeated } from './retries.js';
import type { SeenMemory } from './seen-memory.js';
import { NO_HASH } from './succession.js';
import type { Transport } from './transport.js';
import type { Vault, VaultName } from './vault.js';

const ATTEMPTS_MAX = 8;

/** The keys that a document may lie under: the former one while a change of the master key is not done. */
export interface VaultKeys {
  readonly master: MasterKey;
  readonly formerMaster?: MasterKey;
}

interface VaultDocument {
  readonly plain: Bytes;
  readonly revision: number;
  readonly etag: string;
  readonly isUnderFormer: boolean;
}

/** The vault on the server. A document that is older than one that was seen is refused. */
export class SealedVault implements Vault {
  constructor(
    private readonly transport: Transport,
    private readonly keys: () => VaultKeys,
    private readonly seen: SeenMemory,
  ) {}

  async read(name: VaultName, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return (await this.document(name, signal))?.plain;
  }

  async update(name: VaultName, change: Parameters<Vault['update']>[1], signal: AbortSignal): Promise<void> {
    await repeated(async () => {
      const before = await this.document(name, signal);
      const after = await change(before?.plain);
      if (after !== undefined) await this.write(name, { before, plain: after }, signal);
    }, ATTEMPTS_MAX);
  }

  /** Puts a document that is still under the former master key under the one of now. */
  async reseal(name: VaultName, signal: AbortSignal): Promise<void> {
    const before = await this.document(name, signal);
    if (before?.isUnderFormer === true) await this.write(name, { before, plain: before.plain }, signal);
  }

  private async document(name: VaultName, signal: AbortSignal): Promise<VaultDocument | undefined> {
    const answer = await this.fetch(name, signal);
    if (answer === undefined) {
      // A server can withhold what was never seen; what was, it cannot have lost.
      if (this.seen.get('vault', name) !== undefined) throw new SdkError('rolled-back');
      return undefined;
    }
    const { sealed, revision, etag } = answer;
    const opened = await this.open(name, { bytes: sealed, revision });
    await this.remember(name, { sealed, revision });
    return { ...opened, revision, etag };
  }

  private async fetch(
    name: VaultName,
    signal: AbortSignal,
  ): Promise<{ readonly sealed: Bytes; readonly revision: number; readonly etag: string } | undefined> {
    try {
      const { body, etag } = await this.transport.json({ method: 'GET', path: `/drive/vault/${name}` }, signal);
      return { sealed: body.bytes('bytes'), revision: body.count('revision'), etag: requireEtag(etag) };
    } catch (error) {
      if (error instanceof SdkError && error.code === 'vault-not-found') return undefined;
      throw error;
    }
  }

  private async open(
    name: VaultName,
    sealed: { readonly bytes: Bytes; readonly revision: number },
  ): Promise<Pick<VaultDocument, 'plain' | 'isUnderFormer'>> {
    const { master, formerMaster } = this.keys();
    try {
      return { plain: await openForSelf(master, name, sealed), isUnderFormer: false };
    } catch (error) {
      if (formerMaster === undefined) throw error;
      return { plain: await openForSelf(formerMaster, name, sealed), isUnderFormer: true };
    }
  }

  private async write(
    name: VaultName,
    { before, plain }: { readonly before: VaultDocument | undefined; readonly plain: Uint8Array },
    signal: AbortSignal,
  ): Promise<void> {
    const revision = (before?.revision ?? 0) + 1;
    const sealed = await sealForSelf(this.keys().master, name, { bytes: plain, revision });
    const headers = before === undefined ? { 'If-None-Match': '*' } : { 'If-Match': before.etag };
    const json = { bytes: toBase64Url(sealed), revision };
    try {
      await this.transport.json({ method: 'PUT', path: `/drive/vault/${name}`, json, headers }, signal);
    } catch (error) {
      if (!(error instanceof SdkError) || error.kind !== 'in-doubt') throw error;
      const now = await this.fetch(name, signal);
      if (now === undefined || !isEqual(now.sealed, sealed)) throw new SdkError('conflict', { cause: error });
    }
    await this.remember(name, { sealed, revision });
  }

  private async remember(
    name: VaultName,
    { sealed, revision }: { readonly sealed: Bytes; readonly revision: number },
  ): Promise<void> {
    const hash = await sha256(sealed);
    // The documents do not name those before them: an older one is found out, and another one of the same revision.
    this.seen.meet('vault', name, { revision, hash, previousHash: this.seen.get('vault', name)?.hash ?? NO_HASH });
  }
}
