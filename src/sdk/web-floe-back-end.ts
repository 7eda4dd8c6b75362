import { importWebFloeKey } from '../crypto/web-floe-keys.js';
import { WebFloeOpener } from '../crypto/web-floe-opener.js';
import { WebFloeSealer } from '../crypto/web-floe-sealer.js';
import type { FloeBackEnd } from './floe-back-end.js';

/** With Web Crypto: in browsers. */
export const webFloe: FloeBackEnd = {
  seal: async (key, aad) => WebFloeSealer.create(await importWebFloeKey(key), aad),
  open: async (key, header, aad) => WebFloeOpener.create(await importWebFloeKey(key), header, aad),
};
