import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a page of another origin may send, and read of an answer (https://fetch.spec.whatwg.org/#http-cors-protocol). */
const METHODS = 'GET, HEAD, PUT, POST, PATCH, DELETE';
const SENT =
  'Authorization, Content-Type, Content-Disposition, If-Match, If-None-Match, If-Modified-Since, If-Range, Range, Repr-Digest';
const READ = 'Content-Disposition, Content-Range, ETag, Location, Repr-Digest, Retry-After, X-Request-Id';
/** Seconds for which a browser need not ask again. */
const REMEMBERED_S = 7200;

/** Lets pages of some other origins use the server. Without any, browsers keep them all away, as they do where nothing is said. */
export class Cors {
  private readonly origins: ReadonlySet<string>;

  /** @param origins as browsers send them, like `https://drive.example.org` */
  constructor(origins: readonly string[]) {
    this.origins = new Set(origins);
  }

  /**
   * Says to a browser whether the page may read the answer.
   * @returns true if that was all that it asked: the request is answered then
   */
  answer({ method, headers }: IncomingMessage, response: ServerResponse): boolean {
    if (this.origins.size === 0) return false;
    response.setHeader('Vary', 'Origin'); // also where there is none: a cache must not give that answer to a page
    const { origin } = headers;
    if (origin === undefined || !this.origins.has(origin)) return false;
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Expose-Headers', READ);
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return false;
    response.setHeader('Access-Control-Allow-Methods', METHODS);
    response.setHeader('Access-Control-Allow-Headers', SENT);
    response.setHeader('Access-Control-Max-Age', String(REMEMBERED_S));
    response.statusCode = 204;
    response.end();
    return true;
  }
}
