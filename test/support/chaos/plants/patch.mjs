import { registerHooks } from 'node:module';

// What is in the bundle cannot be reached from outside: the program is started from the modules that the bundle was made of.
registerHooks({
  resolve: (specifier, context, next) => next(specifier.replace(/dist\/bundle\/main\.js$/, 'dist/main.js'), context),
});

/** Replaces a method; a name that is not there any more would plant nothing, and what it should prove would be proven by nothing. */
export function patch(owner, name, make) {
  const method = owner.prototype[name];
  if (typeof method !== 'function') throw new Error(`${owner.name} has no method ${name} to plant a fault in`);
  owner.prototype[name] = make(method);
}
