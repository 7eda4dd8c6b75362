import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { version } from './version.js';

/** The first thing that is read at `/docs`. */
const DESCRIPTION = `Files in, the same bytes out, with nodes missing: each file is encrypted, cut into slices and stored on several nodes.

**Try it here:** every call below can be made from this page.

1. *Store a file*: choose a file, press **Execute**, and take the \`id\` from the answer.
2. *List files* shows it at once; *Get the bytes of a file* with that \`id\` gives it back.
3. *All storage nodes* shows where the bytes lie. Move the folder of one away, and get the file again.

If the server has accounts, press **Authorize** first and give an API token (\`dcloud token create\`).

Errors are RFC 9457 problems (\`application/problem+json\`); programs look at their \`code\`, which is stable.
Clients in many languages can be generated from this document: [openapi.yaml](/openapi.yaml), [openapi.json](/openapi.json).`;

/** The operation at an address that is a second one for the same thing needs an id of its own. */
const SECOND_ADDRESSES = [{ path: '/files', operationId: 'getFiles', summary: 'List files (short address of /files/list)' }];

const TOKEN = 'An API token (`dct_…`), once the store has accounts; without accounts leave it out';

/** The order of the operations of a path. */
const METHODS = ['put', 'post', 'get', 'head', 'patch', 'delete'];

const FORM_SCHEMA = {
  type: 'object',
  required: ['file'],
  properties: { file: { type: 'string', format: 'binary', description: 'The file; its name counts unless the query has one' } },
};

/** The API document of a program, which need not run for that. */
export function createDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.0.3') // what most client generators know best
    .setTitle('DistributedCloud')
    .setDescription(DESCRIPTION)
    .setVersion(version())
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer('http://127.0.0.1:5000', 'A server with the default configuration')
    .addTag('files', 'Store files, find them and get them back')
    .addTag('nodes', 'Where the bytes lie, and whether each place can be reached')
    .addTag('backup', 'Index and configuration at one moment, sealed')
    .addTag('accounts', 'Who may use the store, for how much, and by which tokens')
    .addTag('auth', 'Logging in by OPAQUE (RFC 9807): the server never sees a password; the client half is in the SDK')
    .addTag('drive', 'What clients seal before they send it: a tree of records, contents, and who may read and write them')
    .addTag('health', 'Whether the server can do its work; for supervisors and load balancers')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: TOKEN }, 'token')
    .build();
  const document = SwaggerModule.createDocument(app, config);
  document.security = [{ token: [] }, {}]; // nothing is needed where there are no accounts
  document.paths = inOrder(document.paths);
  describeForms(document);
  nameSecondAddresses(document);
  return document;
}

/** As a reader wants it, and the same at any time: paths by name, which puts `/files/list` before `/files/{id}`, and HEAD behind GET. */
function inOrder(paths: OpenAPIObject['paths']): OpenAPIObject['paths'] {
  const byName = ([one]: [string, unknown], [other]: [string, unknown]): number => (one < other ? -1 : 1);
  const rank = ([method]: [string, unknown]): number => METHODS.indexOf(method);
  const sorted = Object.entries(paths).sort(byName);
  return Object.fromEntries(
    sorted.map(([path, item]) => [path, Object.fromEntries(Object.entries(item).sort((one, other) => rank(one) - rank(other)))]),
  );
}

/** An upload is the bytes themselves or a form around them; the decorators can give one schema only. */
function describeForms(document: OpenAPIObject): void {
  for (const path of Object.values(document.paths)) {
    const body = path.put?.requestBody;
    if (body === undefined || !('content' in body)) continue;
    const form = body.content['multipart/form-data'];
    if (form !== undefined) form.schema = FORM_SCHEMA;
  }
}

function nameSecondAddresses(document: OpenAPIObject): void {
  for (const { path, operationId, summary } of SECOND_ADDRESSES) {
    const operation = document.paths[path]?.get;
    if (operation === undefined) throw new TypeError(`the document has no GET ${path}`);
    Object.assign(operation, { operationId, summary });
  }
}

/**
 * Swagger UI at `/docs`, the document at `/openapi.json` and `/openapi.yaml`.
 * @param document of another program, for one that passes its requests on; absent: its own
 */
export function serveDocument(app: INestApplication, document?: OpenAPIObject): void {
  SwaggerModule.setup('docs', app, () => sameOrigin(document ?? createDocument(app)), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'DistributedCloud API',
    swaggerOptions: { tryItOutEnabled: true, displayRequestDuration: true, defaultModelsExpandDepth: 0 },
  });
}

/** Calls made from the page go to the server that served it, whatever its port is. */
function sameOrigin(document: OpenAPIObject): OpenAPIObject {
  return { ...document, servers: [{ url: '/', description: 'This server' }] };
}
