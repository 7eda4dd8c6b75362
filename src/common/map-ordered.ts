/**
 * The one concurrency primitive of the data path: maps an async stream with at most `width` calls under way at once and yields the
 * results in the order of the input. The input is pulled only as results are taken, so it is also the backpressure.
 * When the consumer stops, the input or a call fails: no further call starts, and those under way are awaited before this returns or
 * throws, so that nothing goes on behind the caller's back.
 */
export async function* mapOrdered<In, Out>(
  input: AsyncIterable<In> | Iterable<In>,
  width: number,
  map: (item: In, index: number) => Promise<Out>,
): AsyncGenerator<Out, void, undefined> {
  const pending: Promise<Out>[] = [];
  let index = 0;
  try {
    for await (const item of input) {
      const call = map(item, index++);
      call.catch(() => undefined); // seen when it is awaited below; until then it is not "unhandled"
      pending.push(call);
      if (pending.length >= width) yield await (pending.shift() as Promise<Out>);
    }
    while (pending.length > 0) yield await (pending.shift() as Promise<Out>);
  } finally {
    await Promise.allSettled(pending);
  }
}
