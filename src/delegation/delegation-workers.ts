import type { DelegatedReader } from './delegated-reader.js';
import type { DelegatedWriter } from './delegated-writer.js';
import type { GatewayDesk } from './gateway-desk.js';
import type { KeyRingCopy } from './key-ring-copy.js';

/** Who does the work. */
export class DelegationWorkers {
  constructor(
    readonly keys: KeyRingCopy,
    readonly desk: GatewayDesk,
    readonly reader: DelegatedReader,
    readonly writer: DelegatedWriter,
  ) {}
}
