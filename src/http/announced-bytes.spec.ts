import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { announcedBytes } from './announced-bytes.js';

const server = createServer((request, response) => response.end(`length ${announcedBytes(request.headers)}`));

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterAll(() => {
  server.close();
});

async function answerTo(...headers: string[]): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(['POST / HTTP/1.1', 'Host: a', 'Connection: close', ...headers, '', 'body'].join('\r\n'));
  return Buffer.concat(await Array.fromAsync(socket as AsyncIterable<Buffer>)).toString();
}

it('is a number in digits, or nothing', async () => {
  expect(await answerTo('Content-Length: 4')).toMatch(/length 4$/);
  expect(await answerTo('Content-Length: 0')).toMatch(/length 0$/);
  expect(await answerTo('Transfer-Encoding: chunked')).toMatch(/length undefined$/);
});

it.each(['', '+4', '-4', '0x4', '4e0', '4.0', '4, 4', '4 4', 'four', 'Infinity', '99999999999999999999'])(
  'comes from no request that says %p',
  async (length) => expect(await answerTo(`Content-Length: ${length}`)).toMatch(/^HTTP\/1.1 400/),
);

it('comes from no request that says two', async () => {
  expect(await answerTo('Content-Length: 4', 'Content-Length: 5')).toMatch(/^HTTP\/1.1 400/);
  expect(await answerTo('Content-Length: 4', 'Content-Length: 4')).toMatch(/^HTTP\/1.1 400/);
});
