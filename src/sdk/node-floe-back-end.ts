import { createSecretKey } from 'node:crypto';
import { NodeFloeOpener } from '../crypto/node-floe-opener.js';
import { NodeFloeSealer } from '../crypto/node-floe-sealer.js';
import type { FloeBackEnd } from './floe-back-end.js';

/** With node:crypto: on the command line. */
export const nodeFloe: FloeBackEnd = {
  seal: (key, aad) => Promise.resolve(new NodeFloeSealer(createSecretKey(key), aad)),
  // eslint-disable-next-line @typescript-eslint/require-await -- what the constructor throws has to become a rejection
  open: async (key, header, aad) => new NodeFloeOpener(createSecretKey(key), header, aad),
};
