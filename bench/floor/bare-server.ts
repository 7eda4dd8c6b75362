/**
 * The floors: bare `node:http` servers with no product in them. Started as `node bare-server.ts MODE …`; prints its port.
 *
 * - `sealed DIRECTORY`: seals and keeps bodies as `sealed-files.ts` says. No digests, checksums, placement, choice of copies or quotas.
 * - `memory`: reads the bodies and keeps only the last; a get answers it.
 * - `list`: answers pages of 1,000 records that it makes as it goes, whatever is asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SealedFiles } from './sealed-files.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const PAGE = 1000;
const ID = '01a20434-af7b-74bb-9713-05df016c5e41';

function answerId(response: ServerResponse, id: string): void {
  const body = JSON.stringify({ id });
  response.writeHead(201, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
}

async function sealed(directory: string): Promise<Answer> {
  const files = await SealedFiles.open(directory);
  return async (request, response) => {
    const id = (request.url ?? '').split('/').at(-1) ?? '';
    if (request.method === 'PUT') answerId(response, await files.put(request));
    else if (request.method === 'HEAD') response.setHeader('content-length', files.sizeOf(id)).end();
    else if (request.method === 'DELETE') {
      await files.remove(id);
      response.writeHead(204).end();
    } else {
      const [, from = '', to = ''] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      if (from !== '') response.statusCode = 206;
      await files.get(id, response, from === '' ? [0, files.sizeOf(id) - 1] : [Number(from), Number(to)]);
    }
  };
}

function memory(): Answer {
  let last: Buffer = Buffer.alloc(0);
  return async (request, response) => {
    if (request.method !== 'PUT') {
      response.end(last);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    last = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    answerId(response, 'last');
  };
}

function list(): Answer {
  let from = 0;
  return (_, response) => {
    const time = new Date(0).toISOString();
    const items = Array.from({ length: PAGE }, (__, at) => ({
      id: ID,
      name: `file ${String(from + at).padStart(9, '0')}`,
      size: 4096,
      contentType: 'application/octet-stream',
      versionId: ID,
      etag: `"${ID}"`,
      createdAt: time,
      updatedAt: time,
    }));
    from += PAGE;
    const body = Buffer.from(JSON.stringify({ items, nextCursor: ID }));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
    return Promise.resolve();
  };
}

const [mode = '', directory = ''] = process.argv.slice(2);
const answer = mode === 'sealed' ? await sealed(directory) : mode === 'list' ? list() : memory();
const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
