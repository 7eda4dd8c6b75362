import type { SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import type { LiveTls } from '../../config/live-tls.js';

/** Makes connections to a peer that proves by its certificate to be the one at its address, to the authorities that count at that moment. */
export function tlsConnector(tls: LiveTls, timeout: number): buildConnector.connector {
  let context: SecureContext | undefined;
  let connect: buildConnector.connector | undefined;
  return (options, callback) => {
    const { client } = tls;
    if (connect === undefined || client !== context) {
      context = client;
      // A session that was kept would be resumed without another look at the certificate.
      const sessions = { maxCachedSessions: 0, allowH2: false };
      connect = buildConnector({ timeout, ...sessions, ...(client === undefined ? {} : { secureContext: client }) });
    }
    connect(options, callback);
  };
}
