import type { ErrorCode } from '../../src/common/errors.js';

/** One request of the collection and what its answer must be. */
export interface Step {
  readonly name: string;
  /** Of the document, like `GET /files/:id`. */
  readonly operation: string;
  /** Value of the one parameter in the path, or of each by its name; the file stored before if it is left out. */
  readonly path?: string | Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly status: number;
  /** The stable code of an answer that is an error. */
  readonly problem?: ErrorCode;
  /** Further lines of the test script. */
  readonly tests?: readonly string[];
}

/** A test of the collection in one line. */
export const test = (name: string, expression: string): string => `pm.test('${name}', () => ${expression});`;
