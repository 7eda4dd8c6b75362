import { beforeEach, describe, expect, it } from '@jest/globals';
import { Gatherer } from './gatherer.js';

interface Sent {
  readonly calls: readonly string[];
  readonly signal: AbortSignal;
  readonly answer: (answers?: readonly string[]) => void;
  readonly fail: (error: Error) => void;
}

describe('A Gatherer', () => {
  const never = new AbortController().signal;
  const leave = new Error('the caller left');
  let sent: Sent[];
  let gatherer: Gatherer<string, string>;

  beforeEach(() => {
    sent = [];
    gatherer = new Gatherer<string, string>({
      weightOf: (call) => call.length,
      weightMax: 10,
      send: (calls, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        sent.push({ calls, signal, answer: (answers = calls.map((call) => `${call}!`)) => resolve(answers), fail: reject });
        return promise;
      },
    });
  });

  const departed = (): readonly (readonly string[])[] => sent.map(({ calls }) => calls);
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('lets a call go at once if none is under way, and those that come meanwhile together when it has ended', async () => {
    const answers = ['a', 'b', 'c'].map((call) => gatherer.run(call, never));
    expect(departed()).toEqual([['a']]);
    sent[0]?.answer();
    await expect(answers[0]).resolves.toBe('a!');
    expect(departed()).toEqual([['a'], ['b', 'c']]);
    sent[1]?.answer();
    await expect(Promise.all(answers)).resolves.toEqual(['a!', 'b!', 'c!']);
    const last = gatherer.run('d', never);
    expect(departed().at(-1)).toEqual(['d']);
    sent[2]?.answer();
    await last;
  });

  it('lets no more wait than go together, whatever is under way', () => {
    for (const call of ['a', 'bbbb', 'cccc', 'dd', 'e']) void gatherer.run(call, never);
    expect(departed()).toEqual([['a'], ['bbbb', 'cccc', 'dd']]);
  });

  it('goes on when all that was under way has ended, and not before', async () => {
    for (const call of ['a', 'b'.repeat(10), 'c']) void gatherer.run(call, never);
    sent[0]?.answer();
    await settled();
    expect(departed()).toHaveLength(2);
    sent[1]?.answer();
    await settled();
    expect(departed().at(-1)).toEqual(['c']);
  });

  it('fails all that went together with what failed, and goes on with the next', async () => {
    const first = gatherer.run('a', never);
    const others = ['b', 'c'].map((call) => gatherer.run(call, never));
    sent[0]?.answer();
    await first;
    const next = gatherer.run('d', never);
    sent[1]?.fail(new Error('no'));
    for (const other of others) await expect(other).rejects.toThrow('no');
    await settled();
    sent[2]?.answer();
    await expect(next).resolves.toBe('d!');
  });

  it('does not send what was aborted before it left', async () => {
    const controller = new AbortController();
    const first = gatherer.run('a', never);
    const [withdrawn, other] = [gatherer.run('bbbbbbb', controller.signal), gatherer.run('c', never)];
    controller.abort(leave);
    await expect(withdrawn).rejects.toBe(leave);
    // Its weight has gone with it.
    const third = gatherer.run('dddd', never);
    expect(departed()).toEqual([['a']]);
    sent[0]?.answer();
    await first;
    expect(departed()[1]).toEqual(['c', 'dddd']);
    sent[1]?.answer();
    await expect(Promise.all([other, third])).resolves.toEqual(['c!', 'dddd!']);
  });

  it('sends nothing that was aborted before it came', async () => {
    await expect(gatherer.run('a', AbortSignal.abort(leave))).rejects.toBe(leave);
    expect(departed()).toEqual([]);
  });

  it('does not abort what others wait for, and rejects for who left when it has ended', async () => {
    const controller = new AbortController();
    const first = gatherer.run('a', never);
    let hasEnded = false;
    const leaver = gatherer.run('b', controller.signal).finally(() => (hasEnded = true));
    const stayer = gatherer.run('c', never);
    sent[0]?.answer();
    await first;
    controller.abort(leave);
    await settled();
    expect([sent[1]?.signal.aborted, hasEnded]).toEqual([false, false]);
    sent[1]?.answer();
    await expect(stayer).resolves.toBe('c!');
    await expect(leaver).rejects.toBe(leave);
  });

  it('aborts what nobody waits for any more', async () => {
    const controllers = [new AbortController(), new AbortController()];
    const first = gatherer.run('a', never);
    const calls = controllers.map(({ signal }) => gatherer.run('b', signal));
    sent[0]?.answer();
    await first;
    for (const controller of controllers) controller.abort(leave);
    for (const call of calls) await expect(call).rejects.toBe(leave);
    expect(sent[1]?.signal.aborted).toBe(true);
  });
});
