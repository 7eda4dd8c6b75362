import type { IncomingMessage } from 'node:http';

/** What Express leaves on a request that one of its routes took. */
type Routed = IncomingMessage & {
  readonly route?: { readonly path?: unknown };
  readonly params?: Readonly<Record<string, unknown>>;
};

export interface AuditedRoute {
  /** Like `GET /files/{id}`. */
  readonly what: string;
  /** Of what the address names. */
  readonly id?: string;
}

/** Nearly all requests, also those that Express never sees. */
const FILES = /^\/files(?:\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))?$/;
/** What a part of an address may be to go on record: a UUID or the number of a node. Anything else might be a name. */
const ID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{1,4})$/i;

/** The route of a request that was answered; undefined if there is none at its address. */
export function routeOf(request: IncomingMessage): AuditedRoute | undefined {
  const { method = '', url = '', route, params } = request as Routed;
  const direct = FILES.exec(url.split('?', 1)[0] as string);
  if (direct !== null) {
    const [, id] = direct;
    return id === undefined ? { what: `${method} /files` } : { what: `${method} /files/{id}`, id };
  }
  const path = route?.path;
  if (typeof path !== 'string' || path.includes('*')) return undefined;
  const id = Object.values(params ?? {}).find((value) => typeof value === 'string' && ID.test(value)) as string | undefined;
  return { what: `${method} ${path.replace(/:(\w+)/g, '{$1}')}`, ...(id === undefined ? {} : { id: id.toLowerCase() }) };
}
