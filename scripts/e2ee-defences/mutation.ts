/**
 * The defences of the client's formats, each as the text that it stands in, and what the program would be without it. `npm run
 * mutate:e2ee` takes them out one after the other and runs the attack that must then succeed: a test that stays green proves nothing.
 */
export interface Edit {
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly defence: string;
  readonly without: string;
}

export interface Mutation {
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly spec: string;
  /** The beginning of the one test's full name, as a pattern. */
  readonly test: string;
}

export function one(name: string, edit: Edit, spec: string, test: string): Mutation {
  return { name, edits: [edit], spec, test };
}
