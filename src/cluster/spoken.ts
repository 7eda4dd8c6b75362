import { DomainError, isErrorCode } from '../common/errors.js';

/** Begins the line that says why nothing came of it. */
const REFUSED = /^refused ([a-z-]+): (.*)$/s;

/** What somebody says at work, line by line; an error with a code becomes the last line. */
export async function* spoken(work: (say: (line: string) => void) => Promise<void>): AsyncGenerator<string, void, undefined> {
  const lines: string[] = [];
  let wake = Promise.withResolvers<undefined>();
  const say = (line: string): void => {
    lines.push(line);
    wake.resolve(undefined);
  };
  const done = run(work, say).then(() => 'done' as const);
  while ((await Promise.race([wake.promise, done])) !== 'done') {
    wake = Promise.withResolvers<undefined>();
    yield* lines.splice(0);
  }
  yield* lines.splice(0);
}

async function run(work: (say: (line: string) => void) => Promise<void>, say: (line: string) => void): Promise<void> {
  try {
    await work(say);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    say(`refused ${error.code}: ${error.detail}`);
  }
}

/** The error that a line stands for; undefined if it is just a line. */
export function refusalOf(line: string): DomainError | undefined {
  const [, code = '', detail = ''] = REFUSED.exec(line) ?? [];
  return isErrorCode(code) ? new DomainError(code, detail) : undefined;
}
