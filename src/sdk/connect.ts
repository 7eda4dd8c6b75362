import { Device } from './device.js';
import type { DriveServer } from './drive-api.js';
import { DriveGate } from './drive-gate.js';
import type { FloeBackEnd } from './floe-back-end.js';
import { MemoryStateStore } from './memory.state-store.js';
import type { PasswordHash } from './password-cost.js';
import type { StateStore } from './state-store.js';
import { serverOrigin, Transport } from './transport.js';
import { webFloe } from './web-floe-back-end.js';

export interface ConnectOptions {
  /** Absent: the one of the platform. */
  readonly fetch?: typeof fetch;
  /** Where this device keeps what it knows: the account that is logged in with its keys, and the newest states seen. Absent: in memory. */
  readonly state?: StateStore;
  /** What content is sealed with; absent: Web Crypto. */
  readonly floe?: FloeBackEnd;
  /** Argon2id, for links with a password; absent: our own, loaded when it is needed. */
  readonly passwordHash?: PasswordHash;
  readonly signal?: AbortSignal;
}

/** Nothing is sent before the first call. @param url `https://host` @throws SdkError `invalid-address` */
export function connect(url: string, options: ConnectOptions = {}): Promise<DriveServer> {
  const { fetch, state = new MemoryStateStore(), floe = webFloe, passwordHash, signal } = options;
  return Promise.try(() => {
    signal?.throwIfAborted();
    const transport = new Transport(serverOrigin(url), fetch === undefined ? {} : { fetch });
    return new DriveGate(transport, { device: new Device(state, transport.origin), floe, passwordHash });
  });
}
