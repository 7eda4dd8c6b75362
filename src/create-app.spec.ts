import 'reflect-metadata';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { AppConfig } from './config/app-config.js';
import { addressError } from './create-app.js';

const configOf = (listen: string): AppConfig => ({ listen, port: 5000 }) as unknown as AppConfig;

async function failureAt(listen: string): Promise<unknown> {
  const server = createServer();
  const [error] = await Promise.all([once(server, 'error'), Promise.resolve(server.listen(0, listen))]);
  return error[0];
}

describe('an address at which the server cannot listen', () => {
  it.each(['example.invalid', '999.1.1.1', '[::1]', '127.0.0.1:80', 'a b', 'x'.repeat(300), 'fe80::1%none'])(
    'is one of which the host cannot be found: %s',
    async (listen) => {
      const error = addressError(await failureAt(listen), configOf(listen));
      expect(error).toMatchObject({ code: 'address-unusable' });
      expect(error?.detail).toContain(`${listen} port 5000: the host cannot be found (E`);
    },
  );

  it('is not what another host is that cannot be found', async () => {
    expect(addressError(await failureAt('database.invalid'), configOf('example.invalid'))).toBeUndefined();
    expect(addressError(new Error('of another kind'), configOf('example.invalid'))).toBeUndefined();
  });

  it.each(['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])('is one of which the system says %s', (code) => {
    const cause = Object.assign(new Error(code), { code, syscall: 'listen' });
    expect(addressError(cause, configOf('127.0.0.1'))).toMatchObject({ code: 'address-unusable', cause });
  });
});
