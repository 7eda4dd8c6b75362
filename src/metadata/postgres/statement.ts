import assert from 'node:assert/strict';

/** What pg sends: parsed by the server once for each connection, under its name. */
export interface BoundStatement {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

export interface Statement {
  readonly name: string;
  readonly text: string;
  /** Names of the parameters, in the order of their numbers. */
  readonly keys: readonly string[];
}

export type Values = Readonly<Record<string, unknown>>;

/** A statement whose parameters have names, like `:owner`. */
export function statement(name: string, text: string): Statement {
  const keys: string[] = [];
  const numbered = text.replace(/(?<!:):([a-zA-Z]+)/g, (_, key: string) => {
    if (!keys.includes(key)) keys.push(key);
    return `$${keys.indexOf(key) + 1}`;
  });
  return { name, text: numbered, keys };
}

export function bind({ name, text, keys }: Statement, values: Values): BoundStatement {
  return {
    name,
    text,
    values: keys.map((key) => {
      assert(key in values, `the statement ${name} has a value for ${key}`);
      return values[key] ?? null;
    }),
  };
}
