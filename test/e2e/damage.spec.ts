import { randomBytes, randomInt } from 'node:crypto';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client } from '../support/client.js';
import { TestServer } from '../support/server.js';
import { shardFiles } from '../support/shard-files.js';

/** Where the header has the checksum of the payload, and its own; see docs/format.md. */
const HEADER_BYTES = 64;
const PAYLOAD_SUM_AT = 52;
const HEADER_SUM_AT = 60;

let server: TestServer;

afterEach(async () => {
  await server.remove();
});

async function start(nodes: number, redundancy: number): Promise<Client> {
  server = await TestServer.start({
    config: { node_count: nodes, redundancy_count: redundancy, size_per_slice: 50_000, pack_below: 0 },
  });
  return new Client(server.url);
}

/** Changes every shard of a node in some way. */
async function damage(node: number, change: (path: string, bytes: Buffer) => Promise<void>): Promise<number> {
  const files = await shardFiles(server.nodeFolder(node));
  for (const path of files) await change(path, await readFile(path));
  return files.length;
}

async function flipBit(path: string, bytes: Buffer): Promise<void> {
  const at = randomInt(bytes.length);
  bytes[at]! ^= 1 << randomInt(8);
  await writeFile(path, bytes);
}

/** What a node does that lies: other bytes, and every checksum fits them. */
async function lie(path: string, bytes: Buffer): Promise<void> {
  bytes[HEADER_BYTES + randomInt(bytes.length - HEADER_BYTES)]! ^= 0x40;
  bytes.writeUInt32BE(crc32(bytes.subarray(HEADER_BYTES)), PAYLOAD_SUM_AT);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, HEADER_SUM_AT)), HEADER_SUM_AT);
  await writeFile(path, bytes);
}

const CHANGES: Readonly<Record<string, (path: string, bytes: Buffer) => Promise<void>>> = {
  'a flipped bit': flipBit,
  'a lost end': (path, bytes) => truncate(path, randomInt(bytes.length)),
  'a missing file': (path) => rm(path),
  'an added byte': (path, bytes) => writeFile(path, Buffer.concat([bytes, Buffer.of(0)])),
  'bytes that only look right': lie,
};

describe('a reader never sees', () => {
  for (const [name, change] of Object.entries(CHANGES)) {
    it(`${name} in every shard of a node`, async () => {
      const client = await start(3, 1);
      const body = randomBytes(1_500_000);
      const { id } = await client.put('x', body);
      for (const node of [1, 2, 3]) {
        const before = await Promise.all(
          (await shardFiles(server.nodeFolder(node))).map(async (path) => [path, await readFile(path)] as const),
        );
        expect(await damage(node, change)).toBeGreaterThan(0);
        expect((await client.bytes(id)).equals(body)).toBe(true);
        expect((await client.bytes(id, { range: 'bytes=70000-140000' })).equals(body.subarray(70_000, 140_001))).toBe(true);
        for (const [path, bytes] of before) await writeFile(path, bytes);
      }
    });
  }

  it('two nodes that lie about different shards, with R = 2', async () => {
    const client = await start(5, 2);
    const body = randomBytes(900_000);
    const { id } = await client.put('x', body);
    await damage(2, lie);
    await damage(4, lie);
    expect((await client.bytes(id)).equals(body)).toBe(true);
  });

  it('a body that looks complete when nothing good is left of its end', async () => {
    const client = await start(2, 1);
    const body = randomBytes(3_000_000);
    const { id } = await client.put('x', body);
    const isLast = (path: string): boolean => /-3b-\d$/.test(path); // of 61 stripes the last but one
    let found = 0;
    for (const node of [1, 2]) {
      for (const path of (await shardFiles(server.nodeFolder(node))).filter(isLast)) {
        await flipBit(path, await readFile(path));
        found += 1;
      }
    }
    expect(found).toBe(2);
    await expect(client.bytes(id)).rejects.toThrow(); // the connection breaks: neither silence nor a shorter file
    expect((await client.bytes(id, { range: 'bytes=0-999999' })).equals(body.subarray(0, 1_000_000))).toBe(true);
  });

  it('a wrong byte when nothing good is left at all', async () => {
    const client = await start(2, 1);
    const { id } = await client.put('x', randomBytes(200_000));
    await damage(1, lie);
    await damage(2, lie);
    const answer = await client.get(id);
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({ code: 'data-damaged' });
  });
});
