import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { clientOf, type ClientPlace, noteForwarding } from './forwarded.js';
import { TrustedProxies } from './trusted-proxies.js';

function requestOf(remoteAddress: string | undefined, said?: string): IncomingMessage {
  const headers = said === undefined ? {} : { 'x-forwarded-for': said };
  return { headers, socket: { remoteAddress, localAddress: '127.0.0.1' } } as unknown as IncomingMessage;
}

function placeOf(trusted: readonly string[], from: string | undefined, said?: string): ClientPlace {
  const request = requestOf(from, said);
  new TrustedProxies(trusted).see(request);
  return clientOf(request);
}

describe('where a client is behind proxies', () => {
  it.each<[string, readonly string[], string, string | undefined, ClientPlace]>([
    ['nobody is trusted', [], '10.0.0.9', '192.0.2.1', { address: '10.0.0.9', isLocal: false }],
    ['another one is trusted', ['10.0.0.8'], '10.0.0.9', '192.0.2.1', { address: '10.0.0.9', isLocal: false }],
    ['the proxy is trusted', ['10.0.0.9'], '10.0.0.9', '192.0.2.1', { address: '192.0.2.1', isLocal: false }],
    ['its network is trusted', ['10.0.0.0/8'], '::ffff:10.0.0.9', '2001:db8::1', { address: '2001:db8::1', isLocal: false }],
    ['the client invents one', ['10.0.0.9'], '10.0.0.9', '198.51.100.7, 192.0.2.1', { address: '192.0.2.1', isLocal: false }],
    [
      'there are two proxies',
      ['10.0.0.0/24'],
      '10.0.0.9',
      '198.51.100.7, 192.0.2.1, 10.0.0.8',
      { address: '192.0.2.1', isLocal: false },
    ],
    ['the proxy says nothing', ['10.0.0.9'], '10.0.0.9', undefined, { address: '10.0.0.9', isLocal: false }],
    ['it says no address', ['10.0.0.9'], '10.0.0.9', 'unknown', { address: '10.0.0.9', isLocal: false }],
    ['a client of the network says none', ['10.0.0.0/8'], '10.0.0.9', 'x, 10.0.0.4', { address: '10.0.0.4', isLocal: false }],
    ['a proxy here passes a stranger on', ['127.0.0.1'], '127.0.0.1', '192.0.2.1', { address: '192.0.2.1', isLocal: false }],
    ['a proxy here passes one from here on', ['127.0.0.1'], '127.0.0.1', '127.0.0.2', { address: '127.0.0.2', isLocal: true }],
    ['one elsewhere has a client of its own', ['10.0.0.9'], '10.0.0.9', '127.0.0.1', { address: '127.0.0.1', isLocal: false }],
  ])('%s', (_case, trusted, from, said, place) => {
    expect(placeOf(trusted, from, said)).toEqual(place);
  });

  it('is not known of a connection that was reset', () => {
    expect(placeOf(['10.0.0.9'], undefined, '192.0.2.1')).toEqual({ address: '', isLocal: false });
  });

  it('is what the peer has proved that passed the request on', () => {
    const request = requestOf('10.0.0.9', '192.0.2.1');
    const client = { address: '192.0.2.7', isLocal: false };
    noteForwarding(request, { node: 2, client });
    new TrustedProxies(['10.0.0.9']).see(request);
    expect(clientOf(request)).toEqual(client);
  });
});
