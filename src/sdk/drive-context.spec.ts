import { describe, expect, it, jest } from '@jest/globals';
import { type Attempt, changing, type WriteContext } from './drive-context.js';
import { SdkError, type SdkErrorKind } from './errors.js';

const context = { finder: { forget: jest.fn() } } as unknown as WriteContext;
const never = new AbortController().signal;

/** What becomes of a change whose attempts end so, and how often it was tried as one that may have been made. */
async function outcomeOf(...kinds: readonly (SdkErrorKind | undefined)[]): Promise<[string, number]> {
  let repeats = 0;
  const ends = kinds.values();
  const attempt = ({ isRepeated }: Attempt): Promise<string> => {
    repeats += Number(isRepeated);
    const kind = ends.next().value;
    return kind === undefined ? Promise.resolve('done') : Promise.reject(new SdkError(kind));
  };
  const outcome = await changing(context, never, attempt).catch((error: unknown) => (error as SdkError).kind);
  return [outcome, repeats];
}

describe('a change whose answer was lost', () => {
  it('is tried again as one that may have been made', async () => {
    expect(await outcomeOf('in-doubt', undefined)).toEqual(['done', 1]);
  });

  it('stays in doubt while the server cannot tell what became of it', async () => {
    expect(await outcomeOf('in-doubt', 'unavailable')).toEqual(['in-doubt', 1]);
  });
});

it('a change that the server cannot make now was not made', async () => {
  expect(await outcomeOf('unavailable')).toEqual(['unavailable', 0]);
});
