import { AccountSession, type Equipment } from './account-session.js';
import { readAccountState } from './account-state.js';
import type { KeptAccount } from './device.js';
import type { KeptBundle } from './login-calls.js';
import { SeenMemory } from './seen-memory.js';
import type { Transport } from './transport.js';

/**
 * Begins to work with an account whose master key and session are known: checks what the server shows of it, and finishes what was broken off.
 * @param transport of nobody
 * @throws SdkError `session-over`, `identity-changed`, `rolled-back`, `damaged`, `state-damaged`
 */
export async function openSession(
  transport: Transport,
  equipment: Equipment,
  { account, bundle }: { readonly account: KeptAccount; readonly bundle: KeptBundle },
  signal: AbortSignal,
): Promise<AccountSession> {
  const { userName, session: sessionText, master } = account;
  const known = transport.as(sessionText);
  const late: { session?: AccountSession } = {};
  const memory = new SeenMemory(undefined, (unsaved) => late.session?.keepSome(unsaved));
  const seen = await equipment.device.seen(master, memory);
  const state = await readAccountState({ transport: known, userName, master, seen }, bundle, signal);
  late.session = new AccountSession(known, seen, equipment, { ...state, sessionText });
  await late.session.finishMasterChange(signal);
  return late.session;
}
