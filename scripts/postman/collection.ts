import { promisify } from 'node:util';
import converter from 'openapi-to-postmanv2';
import { JOURNEY } from './journey.ts';
import type { Step } from './step.ts';

/** The parts of a Postman collection (v2.1.0) that are touched here. */
interface Parameter {
  readonly key: string;
  readonly value?: string;
  readonly disabled?: boolean;
  readonly description?: unknown;
}

interface RequestOfPostman {
  readonly method: string;
  readonly description?: unknown;
  readonly url: {
    readonly host: readonly string[];
    readonly path: readonly string[];
    readonly query: readonly Parameter[];
    readonly variable: readonly Parameter[];
  };
  readonly header: readonly Parameter[];
}

interface Item {
  readonly item?: readonly Item[];
  readonly request?: RequestOfPostman;
}

interface Collection {
  readonly info: { readonly name: string; readonly schema: string };
  readonly item: readonly Item[];
  readonly variable: readonly Parameter[];
}

const DESCRIPTION = `The calls of DistributedCloud as one journey: run the whole collection, and each request uses what the ones before it have stored.

Set the variable \`baseUrl\` to the address of the server. If it has accounts, set \`token\` to an API token. \`fileId\` and the other variables fill themselves. The upload as a form sends \`example.txt\`, which lies beside this collection: let Postman's working directory be that folder, or choose another file there.`;

/** Makes the collection of the API document: the converter's requests, in the order and with the tests of the journey. */
export async function createCollection(openapi: string): Promise<unknown> {
  const { info, item, variable } = await convert(openapi);
  const requests = new Map(requestsIn(item).map((request) => [operationOf(request), request]));
  const missing = [...requests.keys()].filter((operation) => JOURNEY.every((step) => step.operation !== operation));
  if (missing.length > 0) throw new Error(`scripts/postman/journey.ts has no step for ${missing.join(', ')}`);
  return {
    info: { name: info.name, description: DESCRIPTION, schema: info.schema },
    auth: { type: 'bearer', bearer: [{ key: 'token', value: '{{token}}', type: 'string' }] },
    item: JOURNEY.map((step) => itemOf(step, requests.get(step.operation))),
    variable: [...variable, ...['token', 'fileId', 'formFileId', 'etag'].map((key) => ({ key, value: '' }))],
  };
}

async function convert(openapi: string): Promise<Collection> {
  const run = promisify(converter.convertV2.bind(converter));
  const { output, reason } = await run({ type: 'string', data: openapi }, { parametersResolution: 'Example' });
  if (output?.[0] === undefined) throw new Error(`the document cannot be made a Postman collection: ${String(reason)}`);
  return output[0].data as Collection;
}

function requestsIn(items: readonly Item[]): readonly RequestOfPostman[] {
  return items.flatMap(({ item, request }) => [...requestsIn(item ?? []), ...(request === undefined ? [] : [request])]);
}

/** Like `GET /files/:id`. */
function operationOf({ method, url }: RequestOfPostman): string {
  return `${method} /${url.path.join('/')}`;
}

/** One request. The converter's ids and its answers are left out, for they are made at random. */
function itemOf(step: Step, request: RequestOfPostman | undefined): unknown {
  if (request === undefined) throw new Error(`the document has no ${step.operation}, which "${step.name}" calls`);
  const { method, description, url, header } = request;
  const content = step.headers?.['Content-Type'];
  return {
    name: step.name,
    event: [{ listen: 'test', script: { type: 'text/javascript', exec: testsOf(step) } }],
    request: {
      method,
      description,
      url: {
        raw: `{{baseUrl}}/${url.path.join('/')}`,
        host: url.host,
        path: url.path,
        query: withValues(url.query, step.query),
        variable: url.variable.map((parameter) => ({ ...parameter, value: valueOf(step, parameter) })),
      },
      header: withValues(
        header.filter(({ key }) => key !== 'Content-Type'),
        { Accept: header.find(({ key }) => key === 'Accept')?.value ?? '*/*', ...step.headers },
      ).concat(content === undefined ? [] : [{ key: 'Content-Type', value: content }]),
      ...(step.body === undefined ? {} : { body: step.body }),
    },
    response: [],
  };
}

/** Of a parameter in the path. */
function valueOf({ name, path = '{{fileId}}' }: Step, { key }: Parameter): string {
  const value = typeof path === 'string' ? path : path[key];
  if (value === undefined) throw new Error(`the step "${name}" has no value for ${key}`);
  return value;
}

/** Parameters that the step does not use stay in sight, switched off, without the values that the converter makes up. */
function withValues(parameters: readonly Parameter[], values: Readonly<Record<string, string>> = {}): Parameter[] {
  const known = new Set(['Content-Type', ...parameters.map(({ key }) => key)]);
  const unknown = Object.keys(values).filter((key) => !known.has(key));
  if (unknown.length > 0 && unknown.some((key) => key !== 'Accept'))
    throw new Error(`the document has no parameter ${unknown.join(', ')}`);
  return parameters.map(({ key, description }) => {
    const value = values[key];
    return { key, value: value ?? '', disabled: value === undefined, ...(description === undefined ? {} : { description }) };
  });
}

function testsOf({ status, problem, tests = [] }: Step): readonly string[] {
  const code = [
    `pm.test('is the problem ${String(problem)}', () => {`,
    `  pm.expect(pm.response.headers.get('Content-Type')).to.match(/^application\\/problem\\+json/);`,
    `  pm.expect(pm.response.json()).to.include({ code: '${String(problem)}', status: ${status} });`,
    `});`,
  ];
  return [
    `pm.test('answers ${status}', () => pm.response.to.have.status(${status}));`,
    ...(problem === undefined ? [] : code),
    ...tests,
  ];
}
