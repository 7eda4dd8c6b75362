/** One operation on a register. Times are ticks of one clock: a later one is really later. */
export interface RegisterOperation {
  readonly kind: 'read' | 'write';
  /** What was read or written. Each write has a value of its own. */
  readonly value: number;
  /** Of a write: the value that it may only replace (If-Match). */
  readonly basis?: number | undefined;
  readonly sentAt: number;
  /** Infinity: there was no answer, and it may have happened at any time since, or not at all. */
  readonly answeredAt: number;
  /** Who did it and where, for people. */
  readonly by?: string;
}

/** An answer that no order of the operations explains. */
export interface Contradiction {
  readonly operation: RegisterOperation;
  /** The values that the register may have had then. */
  readonly possible: readonly number[];
  /** What was under way then or had ended last. */
  readonly before: readonly RegisterOperation[];
}

/** What may be the case at a moment: the value, and which of the operations under way have taken effect by then. */
interface Configuration {
  readonly value: number;
  readonly effected: ReadonlySet<RegisterOperation>;
}

const BEFORE_MAX = 12;

/**
 * Tells if a history is linearizable: if each operation can have taken effect at one moment between its question and its answer. That is the
 * search of Wing and Gong (1993) in the form that Lowe (2017) calls just-in-time: one walk through the history, with all configurations that
 * are possible so far, in which an operation takes effect no sooner than an answer asks for it. Undefined: it is.
 */
export function contradictionOf(history: readonly RegisterOperation[], initial: number): Contradiction | undefined {
  const operations = withoutUnseen(history);
  const ids = new Map(operations.map((operation, id) => [operation, id]));
  const keyOf = ({ value, effected }: Configuration): string =>
    `${value}:${[...effected]
      .map((operation) => ids.get(operation))
      .sort((a, b) => (a ?? 0) - (b ?? 0))
      .join()}`;
  const pending = new Set<RegisterOperation>();
  let configurations: readonly Configuration[] = [{ value: initial, effected: new Set() }];
  for (const { operation, isAnswer } of eventsOf(operations)) {
    if (!isAnswer) {
      pending.add(operation);
      continue;
    }
    const explained = explain(operation, { configurations, pending, keyOf });
    if (explained.length === 0) {
      const possible = [...new Set(configurations.map(({ value }) => value))];
      return { operation, possible, before: recent(operations, operation) };
    }
    pending.delete(operation);
    configurations = explained;
  }
  return undefined;
}

/** All that can be the case after an operation has been answered, the operation itself being history then. */
function explain(
  operation: RegisterOperation,
  {
    configurations,
    pending,
    keyOf,
  }: {
    readonly configurations: readonly Configuration[];
    readonly pending: ReadonlySet<RegisterOperation>;
    readonly keyOf: (configuration: Configuration) => string;
  },
): readonly Configuration[] {
  const seen = new Set<string>();
  const open = [...configurations];
  const explained = new Map<string, Configuration>();
  for (let configuration = open.pop(); configuration !== undefined; configuration = open.pop()) {
    const key = keyOf(configuration);
    if (seen.has(key)) continue;
    seen.add(key);
    const { value, effected } = configuration;
    if (effected.has(operation)) {
      const rest = { value, effected: new Set([...effected].filter((other) => other !== operation)) };
      explained.set(keyOf(rest), rest);
      continue;
    }
    for (const next of pending) {
      if (effected.has(next) || !canFollow(next, value)) continue;
      open.push({ value: next.value, effected: new Set([...effected, next]) });
    }
  }
  return [...explained.values()];
}

function canFollow({ kind, value, basis }: RegisterOperation, current: number): boolean {
  return kind === 'read' ? value === current : basis === undefined || basis === current;
}

/** A write without an answer that nobody has seen may as well not have happened. Each one less halves what is to be searched. */
function withoutUnseen(history: readonly RegisterOperation[]): readonly RegisterOperation[] {
  const seen = new Set(history.flatMap(({ kind, value, basis }) => (kind === 'read' ? [value] : (basis ?? []))));
  return history.filter(({ kind, value, answeredAt }) => kind === 'read' || answeredAt !== Infinity || seen.has(value));
}

function eventsOf(
  operations: readonly RegisterOperation[],
): readonly { readonly at: number; readonly operation: RegisterOperation; readonly isAnswer: boolean }[] {
  const asked = operations.map((operation) => ({ at: operation.sentAt, operation, isAnswer: false }));
  const answered = operations
    .filter(({ answeredAt }) => answeredAt !== Infinity)
    .map((operation) => ({ at: operation.answeredAt, operation, isAnswer: true }));
  return [...asked, ...answered].sort((a, b) => a.at - b.at);
}

/** The operations that have to do with the contradiction: those before its answer, the last ones of them. */
function recent(
  operations: readonly RegisterOperation[],
  { answeredAt, value }: RegisterOperation,
): readonly RegisterOperation[] {
  const before = operations.filter((operation) => operation.sentAt < answeredAt).sort((a, b) => a.sentAt - b.sentAt);
  const origin = before.filter((operation) => operation.kind === 'write' && operation.value === value);
  return [...new Set([...origin, ...before.slice(-BEFORE_MAX)])];
}
