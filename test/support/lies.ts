/** What a server between the clients tells in the place of the truth: whoever stores and answers can put anything into an answer. */
import type { Passing, TamperedNet } from './sdk-server.js';

export type Json = Readonly<Record<string, unknown>>;

/** Everything in an answer that has this field, however deep it lies, becomes what `change` makes of it. */
export function telling(field: string, change: (honest: Json, passing: Passing) => unknown): TamperedNet['answer'] {
  return async (passing, response) => {
    if (!isJson(response)) return response;
    const told = changed(await response.json(), field, (honest) => change(honest, passing));
    return new Response(JSON.stringify(told), { status: response.status, headers: response.headers });
  };
}

/** Sealed parts become what `change` makes of what was asked for. */
export function serving(change: (sealed: Buffer) => Uint8Array): TamperedNet['answer'] {
  return async ({ method, path }, response) => {
    if (method !== 'GET' || !path.includes('/parts/')) return response;
    const sealed = Buffer.from(await response.arrayBuffer());
    return new Response(Uint8Array.from(change(sealed)), { status: response.status });
  };
}

/** Everything that has this field in what is answered while something is done; the newest last. */
export async function heard(net: TamperedNet, field: string, work: () => Promise<unknown>): Promise<readonly Json[]> {
  const all: Json[] = [];
  net.answer = telling(field, (honest) => {
    all.push(honest);
    return honest;
  });
  await work();
  net.honest();
  return all;
}

/** The newest of those that were heard. */
export async function lastHeard(net: TamperedNet, field: string, work: () => Promise<unknown>): Promise<Json> {
  const last = (await heard(net, field, work)).at(-1);
  if (last === undefined) throw new Error(`nothing that was answered has ${field}`);
  return last;
}

/** A field of base64url with one bit of it turned. */
export function turned(text: unknown, at: number): string {
  const bytes = Buffer.from(text as string, 'base64url');
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return bytes.toString('base64url');
}

const CHANGES_NOTHING = / \/drive\/(?:ids|vault\/\w+)$/u;

/** The requests that change something, of those that were sent while something was done. What the account notes for itself changes nothing. */
export async function changesSent(net: TamperedNet, work: () => Promise<unknown>): Promise<readonly string[]> {
  const before = net.requests.length;
  await work();
  return net.requests.slice(before).filter((request) => !request.startsWith('GET ') && !CHANGES_NOTHING.test(request));
}

function changed(value: unknown, field: string, change: (honest: Json) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => changed(item, field, change));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, changed(inner, field, change)] as const);
  const whole = Object.fromEntries(entries) as Json;
  return field in whole ? change(whole) : whole;
}

function isJson(response: Response): boolean {
  return response.ok && (response.headers.get('content-type') ?? '').startsWith('application/json');
}
