import type { RequestHandler } from 'express';
import { DomainError } from '../common/errors.js';

/** What is looked at of an entry of Express' router; its types leave out `match` and `methods`. */
interface Layer {
  /** Absent for middleware. */
  readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
  readonly match: (path: string) => unknown;
}

/**
 * Stands behind all routes: refuses what came with a method that its address does not take, and lets pass what is at no address. OPTIONS passes,
 * too: what browsers ask by it is answered before, or not at all (CORS).
 */
export function refuseOtherMethods(routes: () => readonly unknown[]): RequestHandler {
  return ({ method, path }, response, next) => {
    const allowed = method === 'OPTIONS' ? [] : methodsAt(path, method, routes() as readonly Layer[]);
    if (allowed.length === 0) {
      next();
      return;
    }
    const names = allowed.join(', ');
    response.setHeader('Allow', names); // RFC 9110, 15.5.6
    next(new DomainError('method-not-allowed', `this address takes ${names}`));
  };
}

/**
 * Of the nearest path only: `/files/list` has the form of `/files/:id` as well, and is none. A route that takes the method has had the request and
 * passed it on: it is middleware of Nest, which takes all.
 */
function methodsAt(path: string, method: string, layers: readonly Layer[]): string[] {
  const others = layers.filter(({ route }) => route !== undefined && route.methods[method.toLowerCase()] !== true);
  const routes = others.flatMap((layer) => (layer.route !== undefined && layer.match(path) !== false ? [layer.route] : []));
  const [nearest] = routes.toSorted((one, other) => parametersOf(one.path) - parametersOf(other.path));
  const methods = routes.flatMap((route) => (route.path === nearest?.path ? Object.keys(route.methods) : []));
  if (methods.includes('get')) methods.push('head'); // Express answers it by GET
  return [...new Set(methods)].map((name) => name.toUpperCase()).sort();
}

function parametersOf(path: string): number {
  return path.split(':').length;
}
