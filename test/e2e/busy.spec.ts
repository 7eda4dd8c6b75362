import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { TestServer } from '../support/server.js';

const MiB = 1024 * 1024;

let server: TestServer;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.remove();
});

/** An upload that sends one byte and then nothing more. */
async function stall(url: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined); // the server may end it, which is its right
  sockets.push(socket);
  await new Promise((resolve) =>
    socket.write('PUT /files?name=slow HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n', resolve),
  );
}

describe('with all memory held by slow clients', () => {
  it('small requests go on, large ones are refused in time, and all is well when the slow ones are gone', async () => {
    server = await TestServer.start({ config: { limits: { process_bytes_in_flight: 32 * MiB, admission_ms_max: 500 } } });
    const client = new Client(server.url);
    const large = await client.put('large', Buffer.alloc(5 * MiB, 1));
    for (let count = 0; count < 16; count += 1) await stall(server.url);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const small = await client.put('small', 'x');
    expect((await client.bytes(small.id)).toString()).toBe('x');
    const refused = await client.get(large.id);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: 'too-busy' });
    for (const socket of sockets.splice(0)) socket.destroy();
    expect(await client.bytes(large.id)).toHaveLength(5 * MiB);
    expect((await client.listAll()).map(({ name }) => name).sort()).toEqual(['large', 'small']);
  });
});
