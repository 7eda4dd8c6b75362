import { Injectable } from '@nestjs/common';
import { Identities } from '../accounts/identities.js';
import type { AccountId } from '../auth/account.js';
import { openBundle, type IdentityBundle } from '../sdk/identity-bundle.js';

/** The newest public keys of accounts, read once for each bundle. */
@Injectable()
export class Signers {
  private readonly read = new WeakMap<Uint8Array, Promise<IdentityBundle | undefined>>();

  constructor(private readonly identities: Identities) {}

  /** Undefined if nobody registered for the account, or what was put as its identity is none of it. */
  async newest(account: AccountId, signal: AbortSignal): Promise<IdentityBundle | undefined> {
    const bytes = await this.identities.newest(account, signal);
    if (bytes === undefined) return undefined;
    const bundle = this.read.get(bytes) ?? readBundle(bytes);
    this.read.set(bytes, bundle);
    const opened = await bundle;
    return opened?.accountId === account ? opened : undefined;
  }
}

async function readBundle(bytes: Uint8Array): Promise<IdentityBundle | undefined> {
  try {
    return await openBundle(bytes);
  } catch {
    return undefined; // the server keeps whatever clients put there, and it counts for nothing
  }
}
