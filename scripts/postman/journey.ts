import { ACCESS } from './access.ts';
import { DRIVE } from './drive.ts';
import { LOGINS } from './logins.ts';
import { type Step, test } from './step.ts';
import { SURVEY } from './survey.ts';

const TEXT = 'Hello from Postman';
const NEW_TEXT = 'Hello again';
const UNKNOWN_ID = '01920000-0000-7000-8000-000000000001';

const raw = (text: string): unknown => ({ mode: 'raw', raw: text, options: { raw: { language: 'text' } } });
const json = (value: unknown): unknown => ({ mode: 'raw', raw: JSON.stringify(value), options: { raw: { language: 'json' } } });
const form = { mode: 'formdata', formdata: [{ key: 'file', type: 'file', src: 'example.txt' }] };
const TEXT_PLAIN = { 'Content-Type': 'text/plain' };
const JSON_BODY = { 'Content-Type': 'application/json' };

const keep = (variable: string, expression: string): string => `pm.collectionVariables.set('${variable}', ${expression});`;

const UPLOADS: readonly Step[] = [
  {
    name: 'Store a file (raw bytes)',
    operation: 'PUT /files',
    query: { name: 'postman-hello.txt' },
    headers: TEXT_PLAIN,
    body: raw(TEXT),
    status: 201,
    tests: [
      test(
        'has name, size and type',
        `pm.expect(pm.response.json()).to.include({ name: 'postman-hello.txt', size: ${TEXT.length}, contentType: 'text/plain' })`,
      ),
      test(
        'Location is its address',
        `pm.expect(pm.response.headers.get('Location')).to.equal('/files/' + pm.response.json().id)`,
      ),
      keep('fileId', 'pm.response.json().id'),
      keep('etag', 'pm.response.json().etag'),
    ],
  },
  {
    name: 'Store a file (multipart form)',
    operation: 'PUT /files',
    body: form,
    status: 201,
    tests: [
      test('has the name of the part', `pm.expect(pm.response.json().name).to.equal('example.txt')`),
      keep('formFileId', 'pm.response.json().id'),
    ],
  },
  {
    name: 'Store a file without a name that is allowed',
    operation: 'PUT /files',
    query: { name: '%00' },
    headers: TEXT_PLAIN,
    body: raw(TEXT),
    status: 400,
    problem: 'invalid-name',
  },
];

const FILES_OF_PAGE = 'pm.response.json().items.map((file) => file.id)';

const SEARCHES: readonly Step[] = [
  {
    name: 'List the files',
    operation: 'GET /files/list',
    query: { limit: '1000', order: '-createdAt' },
    status: 200,
    tests: [
      test(
        'both are there',
        `pm.expect(${FILES_OF_PAGE}).to.include.members([pm.collectionVariables.get('fileId'), pm.collectionVariables.get('formFileId')])`,
      ),
    ],
  },
  {
    name: 'List the files by prefix, at the short address',
    operation: 'GET /files',
    query: { limit: '10', prefix: 'postman-' },
    status: 200,
    tests: [
      test(
        'names begin with the prefix',
        `pm.response.json().items.forEach((file) => pm.expect(file.name).to.match(/^postman-/))`,
      ),
    ],
  },
  {
    name: 'List with a limit that is not allowed',
    operation: 'GET /files/list',
    query: { limit: '0' },
    status: 400,
    problem: 'invalid-request',
  },
  {
    name: 'Get the record of a file',
    operation: 'GET /files/:id/info',
    status: 200,
    tests: [
      test('is of the file', `pm.expect(pm.response.json().id).to.equal(pm.collectionVariables.get('fileId'))`),
      test('it survives the loss of a node', 'pm.expect(pm.response.json().survives).to.be.at.least(1)'),
    ],
  },
];

const DOWNLOADS: readonly Step[] = [
  {
    name: 'Get a file',
    operation: 'GET /files/:id',
    status: 200,
    tests: [
      test('has the bytes', `pm.expect(pm.response.text()).to.equal('${TEXT}')`),
      test('has the name', `pm.expect(pm.response.headers.get('Content-Disposition')).to.include('postman-hello.txt')`),
    ],
  },
  { name: 'Get a file that has not changed', operation: 'GET /files/:id', headers: { 'If-None-Match': '{{etag}}' }, status: 304 },
  {
    name: 'Get a part of a file',
    operation: 'GET /files/:id',
    headers: { Range: 'bytes=0-4' },
    status: 206,
    tests: [
      test('has the part', `pm.expect(pm.response.text()).to.equal('${TEXT.slice(0, 5)}')`),
      test('says which', `pm.expect(pm.response.headers.get('Content-Range')).to.equal('bytes 0-4/${TEXT.length}')`),
    ],
  },
  {
    name: 'Get a part behind the end',
    operation: 'GET /files/:id',
    headers: { Range: 'bytes=1000000-' },
    status: 416,
    problem: 'range-not-satisfiable',
  },
  {
    name: 'Get the headers of a file',
    operation: 'HEAD /files/:id',
    status: 200,
    tests: [test('says the size', `pm.expect(pm.response.headers.get('Content-Length')).to.equal('${TEXT.length}')`)],
  },
  { name: 'Get a file whose id is none', operation: 'GET /files/:id', path: 'no-uuid', status: 400, problem: 'invalid-id' },
  {
    name: 'Get a file that does not exist',
    operation: 'GET /files/:id',
    path: UNKNOWN_ID,
    status: 404,
    problem: 'file-not-found',
  },
];

const CHANGES: readonly Step[] = [
  {
    name: 'Rename a file',
    operation: 'PATCH /files/:id',
    headers: JSON_BODY,
    body: json({ name: 'postman-renamed.txt' }),
    status: 200,
    tests: [test('has the new name', `pm.expect(pm.response.json().name).to.equal('postman-renamed.txt')`)],
  },
  {
    name: 'Change what cannot be changed',
    operation: 'PATCH /files/:id',
    headers: JSON_BODY,
    body: json({ size: 1 }),
    status: 400,
    problem: 'invalid-request',
  },
  {
    name: 'Replace a file',
    operation: 'PUT /files/:id',
    headers: { ...TEXT_PLAIN, 'If-Match': '{{etag}}' },
    body: raw(NEW_TEXT),
    status: 200,
    tests: [
      test(
        'keeps id and name',
        `pm.expect(pm.response.json()).to.include({ id: pm.collectionVariables.get('fileId'), name: 'postman-renamed.txt' })`,
      ),
      test('is another version', `pm.expect(pm.response.json().etag).not.to.equal(pm.collectionVariables.get('etag'))`),
    ],
  },
  {
    name: 'Replace a file that somebody else has replaced',
    operation: 'PUT /files/:id',
    headers: { ...TEXT_PLAIN, 'If-Match': '{{etag}}' },
    body: raw(TEXT),
    status: 412,
    problem: 'precondition-failed',
  },
  {
    name: 'Get the new content',
    operation: 'GET /files/:id',
    status: 200,
    tests: [test('has the new bytes', `pm.expect(pm.response.text()).to.equal('${NEW_TEXT}')`)],
  },
];

const REMOVALS: readonly Step[] = [
  { name: 'Delete the file of the form', operation: 'DELETE /files/:id', path: '{{formFileId}}', status: 204 },
  { name: 'Delete a file', operation: 'DELETE /files/:id', status: 204 },
  { name: 'Get a file that was deleted', operation: 'GET /files/:id', status: 404, problem: 'file-not-found' },
  { name: 'Delete a file that was deleted', operation: 'DELETE /files/:id', status: 404, problem: 'file-not-found' },
];

/** The life of a file, from an empty list to one again; errors stand where a user meets them. */
export const JOURNEY: readonly Step[] = [
  ...SURVEY,
  ...ACCESS,
  ...LOGINS,
  ...DRIVE,
  ...UPLOADS,
  ...SEARCHES,
  ...DOWNLOADS,
  ...CHANGES,
  ...REMOVALS,
];
