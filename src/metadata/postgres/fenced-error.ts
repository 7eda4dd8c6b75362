/** Another gateway has taken the index: its code is that of a connection which is no more. */
export class FencedError extends Error {
  readonly code = '08000';

  constructor() {
    super('another gateway has taken the index');
  }
}
