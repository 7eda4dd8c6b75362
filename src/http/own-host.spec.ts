import { hostname } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { OwnHosts } from './own-host.js';

describe('the names of the own machine', () => {
  const hosts = new OwnHosts(['10.0.0.7', 'peer-1.example']);

  it.each(['localhost', 'LOCALHOST:5000', 'app.localhost', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000', '[::1]'])(
    'are those of the loopback: %s',
    (header) => expect(hosts.has(header)).toBe(true),
  );

  it.each(['10.0.0.7:5000', 'Peer-1.example', hostname(), `${hostname()}:1`])(
    'are those it was given, and its own: %s',
    (header) => expect(hosts.has(header)).toBe(true),
  );

  it.each([
    'evil.example',
    'evil.example:5000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '[::2]',
    '',
    '10.0.0.70',
    'a@localhost',
  ])('are no others, also behind one that was right: %s', (header) => {
    expect(hosts.has('localhost:5000')).toBe(true);
    expect(hosts.has(header)).toBe(false);
  });

  it('are not asked for by what is no browser', () => expect(hosts.has(undefined)).toBe(true));
});
