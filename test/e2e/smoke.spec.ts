import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { TestServer } from '../support/server.js';
import { eventually } from '../support/shard-files.js';

let server: TestServer;
let client: Client;

beforeAll(async () => {
  server = await TestServer.start();
  client = new Client(server.url);
});

afterAll(async () => {
  await server.remove();
});

describe('the server', () => {
  it('gives back what it was given', async () => {
    const file = await client.put('hello.txt', 'hello');
    expect((await client.bytes(file.id)).toString()).toBe('hello');
  });

  it('ends with exit code 0 when it is told to stop', async () => {
    expect(await server.stop()).toBe(0);
    const logs = await eventually(
      () => Promise.resolve(server.logs()),
      (text) => text.includes('"has stopped"'),
      2_000,
    );
    expect(logs).toMatch(/"signal":"SIGTERM".*"stops: [^]*"has stopped"/u);
    expect(logs).not.toMatch(/RouterExplorer|InstanceLoader/u);
  });
});
