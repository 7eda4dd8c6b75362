/** Replaces a method; a name that is not there any more would plant nothing, and what it should prove would be proven by nothing. */
export function patch(owner, name, make) {
  const method = owner.prototype[name];
  if (typeof method !== 'function') throw new Error(`${owner.name} has no method ${name} to plant a fault in`);
  owner.prototype[name] = make(method);
}
