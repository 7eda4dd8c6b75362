import type { Step } from './step.ts';

const UNKNOWN_ID = '01920000-0000-7000-8000-000000000001';
const JSON_BODY = { 'Content-Type': 'application/json' };
const SEALED = 'AQIDBA';

/** No collection can sign or seal, and a store without accounts has no drives: it shows the calls, and what is refused. */
const refused = (name: string, operation: string, more: Partial<Step> = {}): Step => ({
  name: `${name} without accounts`,
  operation,
  path: UNKNOWN_ID,
  status: 403,
  problem: 'accounts-required',
  ...more,
});

const refusedBody = (name: string, operation: string, value: unknown, more: Partial<Step> = {}): Step =>
  refused(name, operation, {
    headers: JSON_BODY,
    body: { mode: 'raw', raw: JSON.stringify(value), options: { raw: { language: 'json' } } },
    ...more,
  });

const PART = { path: { id: UNKNOWN_ID, part: '0' } };
const REVISION = { id: UNKNOWN_ID, revision: 'latest' };
/** SHA-256 of `sealed`. */
const SEALED_DIGEST = 'sha-256=:ydADa+1nRLzfaS/JgNhxfX5fWk9Ogma0qEmCYC+xzQk=:';
const VAULT = { path: 'settings' };

/** The steps about drives. */
export const DRIVE: readonly Step[] = [
  refusedBody('Take ids', 'POST /drive/ids', { count: 2 }),
  refused('The root of the drive', 'GET /drive/root'),
  {
    ...refusedBody('Make a node of what is no record', 'POST /drive/nodes', { record: SEALED }),
    name: 'Make a node of what is no record',
    status: 400,
    problem: 'invalid-record',
  },
  refusedBody('Make several nodes', 'POST /drive/nodes/batch', { nodes: [{ record: SEALED }] }),
  refused('Look at a node', 'GET /drive/nodes/:id'),
  refusedBody('Rename a node', 'PUT /drive/nodes/:id', { record: SEALED }),
  refused('Remove a node', 'DELETE /drive/nodes/:id'),
  refused('List a folder', 'GET /drive/nodes/:id/children'),
  refused('The path of a node', 'GET /drive/nodes/:id/path'),
  refused('How a node is shared', 'GET /drive/nodes/:id/sharing'),
  refusedBody('Share a node', 'PUT /drive/nodes/:id/sharing', { writers: SEALED, grants: [SEALED] }),
  refused('What others share', 'GET /drive/shared'),
  refusedBody('Make a link', 'POST /drive/nodes/:id/links', { linkId: UNKNOWN_ID, link: SEALED, proofHash: SEALED }),
  refused('End a link', 'DELETE /drive/links/:id'),
  refusedBody('Open a link', 'POST /drive/links/:id/open', { proof: SEALED }),
  refused('Look into the vault', 'GET /drive/vault/:name', VAULT),
  refusedBody('Put something into the vault', 'PUT /drive/vault/:name', { bytes: SEALED }, VAULT),
  refusedBody('Begin an upload', 'POST /drive/uploads', { parentId: UNKNOWN_ID }),
  refused('What has arrived of an upload', 'GET /drive/uploads/:id'),
  refused('Upload a part', 'PUT /drive/uploads/:id/parts/:part', {
    ...PART,
    headers: { 'Content-Type': 'application/octet-stream', 'Repr-Digest': SEALED_DIGEST },
    body: { mode: 'raw', raw: 'sealed', options: { raw: { language: 'text' } } },
  }),
  refused('Give up an upload', 'DELETE /drive/uploads/:id'),
  {
    ...refusedBody('Give a file what is no content', 'POST /drive/nodes/:id/revisions', { manifest: SEALED }),
    name: 'Give a file what is no content',
    status: 400,
    problem: 'invalid-record',
  },
  refused('List revisions', 'GET /drive/nodes/:id/revisions'),
  refused('Look at a revision', 'GET /drive/nodes/:id/revisions/:revision', { path: REVISION }),
  refused('Download a part', 'GET /drive/nodes/:id/revisions/:revision/parts/:part', { path: { ...REVISION, part: '0' } }),
];
