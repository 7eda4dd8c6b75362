import { SdkError } from './errors.js';

/**
 * What a device keeps between two runs of a client: a few named values, some of them secret. Each is replaced as a whole or not at all.
 * Names are made of small letters, digits and dashes, at most 64 characters.
 */
export interface StateStore {
  /** Undefined if there is none. @throws SdkError `state-damaged` if there is one that cannot be read */
  get(name: string): Promise<Uint8Array | undefined>;
  set(name: string, bytes: Uint8Array): Promise<void>;
  /** Also of what is not there. */
  delete(name: string): Promise<void>;
}

/** To be given to `catch` where what cannot be read is as good as none. */
export function ifDamaged(error: unknown): undefined {
  if (error instanceof SdkError && error.kind === 'state-damaged') return undefined;
  throw error;
}
