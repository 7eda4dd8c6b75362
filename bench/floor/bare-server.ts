/**
 * The floor: a bare `node:http` server with no product in it, which does the same input and output. Started by `bench/run.ts` as
 * `node bare-server.ts MODE DIRECTORY`; prints its port.
 *
 * - `durable`: cuts bodies into slices of 1 MiB and writes each slice twice: temporary file, fsync, rename, and in the end an fsync of
 *   each directory and of an appended line of an index. No encryption, no checksums, no placement. A get reads one copy.
 * - `memory`: reads the bodies and keeps only the last; a get answers it.
 */
import { mkdirSync } from 'node:fs';
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const SLICE_BYTES = 1024 * 1024;
const COPIES = 2;

const [mode = 'memory', directory = '.'] = process.argv.slice(2);
const folders = Array.from({ length: COPIES }, (_, copy) => join(directory, `copy_${copy}`));
/** Bytes by id. */
const sizes = new Map<string, number>();
let count = 0;
let last: Buffer = Buffer.alloc(0);

async function writeSlice(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(`${path}.tmp`, 'w');
  try {
    await file.writev([bytes]);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
}

async function syncDirectory(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function putDurably(request: IncomingMessage, index: FileHandle): Promise<string> {
  const id = String((count += 1));
  let slice = Buffer.allocUnsafe(SLICE_BYTES);
  let length = 0;
  let slices = 0;
  const writes: Promise<void>[] = [];
  const flush = async (): Promise<void> => {
    const bytes = slice.subarray(0, length);
    const number = slices++;
    slice = Buffer.allocUnsafe(SLICE_BYTES);
    length = 0;
    for (const folder of folders) writes.push(writeSlice(join(folder, `${id}-${number}`), bytes));
    while (writes.length > 3 * COPIES) await writes.shift();
  };
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    for (let taken = 0; taken < chunk.length;) {
      const copied = chunk.copy(slice, length, taken, Math.min(chunk.length, taken + SLICE_BYTES - length));
      length += copied;
      taken += copied;
      if (length === SLICE_BYTES) await flush();
    }
  }
  if (length > 0 || slices === 0) await flush();
  await Promise.all(writes);
  await Promise.all(folders.map(syncDirectory));
  await index.appendFile(`${id} ${slices}\n`);
  await index.datasync();
  sizes.set(id, size);
  return `${id}.${slices}`;
}

async function getDurable(name: string, response: ServerResponse): Promise<void> {
  const [id = '', slices = '0'] = name.split('.');
  const path = (number: number): string => join(folders[number % COPIES] ?? '', `${id}-${number}`);
  const first = await readFile(path(0));
  if (Number(slices) === 1) {
    response.end(first);
    return;
  }
  let next = readFile(path(1));
  response.setHeader('content-length', sizes.get(id) ?? 0);
  response.write(first);
  for (let number = 1; number < Number(slices); number += 1) {
    const bytes = await next;
    if (number + 1 < Number(slices)) next = readFile(path(number + 1));
    if (!response.write(bytes)) await new Promise((resume) => response.once('drain', resume));
  }
  response.end();
}

async function putInMemory(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  last = Buffer.concat(chunks);
  return 'last';
}

for (const folder of folders) mkdirSync(folder, { recursive: true });
const index = await open(join(directory, 'index'), 'a');

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'PUT') {
    const id = mode === 'durable' ? await putDurably(request, index) : await putInMemory(request);
    const body = JSON.stringify({ id });
    response.writeHead(201, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
    return;
  }
  const name = (request.url ?? '').split('/').at(-1) ?? '';
  if (mode === 'durable') await getDurable(name, response);
  else response.end(last);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
