import type { FileId, idToBytes as IdToBytes } from '../src/common/ids.ts';
import type { encodeCursor as EncodeCursor } from '../src/metadata/list-cursor.ts';
import type { ListOrder, MetadataStore } from '../src/metadata/metadata-store.ts';
import { median } from './figures.ts';
import { type Engine, type EnginePlace, FILE_BYTES, fillIndex, nameOf, numberAt, STORE, withEngines } from './filled-index.ts';
import { nameOfCount } from './kit/sizes.ts';

const dist = new URL('../dist/', import.meta.url);
const of = <Module>(file: string): Promise<Module> => import(new URL(file, dist).href) as Promise<Module>;
const { encodeCursor } = await of<{ encodeCursor: typeof EncodeCursor }>('metadata/list-cursor.js');
const { idToBytes } = await of<{ idToBytes: typeof IdToBytes }>('common/ids.js');

const PAGE = 1000;
/** Names that begin with all but the last three digits of one are as many as a page has. */
const PREFIX_CUT = -3;
const ROUNDS = 30;
const NEVER = new AbortController().signal;
const PLACES = ['start', 'middle', 'end'] as const;

/** One page: what is asked, and the file with which the answer has to begin. */
interface PageQuery {
  readonly order: ListOrder;
  readonly prefix: string;
  readonly cursor?: Uint8Array;
  readonly first: string;
}

/** The same kind of page at the start, in the middle and at the end. */
interface Kind {
  readonly title: string;
  readonly queries: readonly PageQuery[];
}

/**
 * Fills both engines with so many files, and prints what that took, and how long a page of {@link PAGE} takes: in each order, with a cursor at the
 * start, in the middle and at the end, and with a prefix there. Each page is looked at: whether it is whole and begins with the right file.
 */
export async function pages(files: number, place: EnginePlace): Promise<void> {
  await withEngines(place, async (engines) => {
    const kinds = new Map<Engine, readonly Kind[]>();
    for (const engine of engines) kinds.set(engine, await filled(engine, files));
    console.log(`\n| a page of ${nameOfCount(PAGE)} of ${nameOfCount(files)} files, ms | index | start | middle | end |`);
    console.log('|---|---|--:|--:|--:|');
    const titles = [...kinds.values()][0]?.map(({ title }) => title) ?? [];
    for (const [at, title] of titles.entries()) {
      const spent = await inTurns(engines, (engine) => kinds.get(engine)?.[at]?.queries ?? []);
      for (const { name } of engines) console.log(`| ${title} | ${name} | ${spent.get(name)?.join(' | ') ?? ''} |`);
    }
    console.log('');
  });
}

async function filled(engine: Engine, files: number): Promise<readonly Kind[]> {
  const began = performance.now();
  const cursors = [Math.floor(files / 2), files - PAGE - 1, PAGE];
  const ids = await fillIndex(engine, { files }, cursors);
  const seconds = (performance.now() - began) / 1000;
  await requireCounted(engine.store, files);
  const bytes = (await engine.bytesOnDisk()) / files;
  const rate = nameOfCount(Math.round(files / seconds));
  console.log(
    `${engine.name}: ${nameOfCount(files)} files in ${seconds.toFixed(0)} s (${rate}/s), ${bytes.toFixed(0)} bytes on disk each`,
  );
  return kindsOf(files, ids);
}

/** What an owner has is counted with each change, so it is known at once, and right. */
async function requireCounted(store: MetadataStore, files: number): Promise<void> {
  const counted = await store.usageOf(STORE, NEVER);
  if (counted.files !== files || counted.bytes !== files * FILE_BYTES)
    throw new RangeError(`${files} files of ${FILE_BYTES} bytes are counted as ${JSON.stringify(counted)}`);
}

function kindsOf(files: number, ids: ReadonlyMap<number, FileId>): readonly Kind[] {
  const [middle, last] = [Math.floor(files / 2), files - PAGE - 1];
  const byName = (order: ListOrder, after: number, first: number): PageQuery => ({
    order,
    prefix: '',
    first: nameOf(first),
    cursor: encodeCursor(order, Buffer.concat([Buffer.from(`${nameOf(after)}\0`), new Uint8Array(16).fill(0xff)])),
  });
  const byCreation = (order: ListOrder, after: number, first: number): PageQuery => ({
    order,
    prefix: '',
    first: nameOf(numberAt(first, files)),
    cursor: encodeCursor(order, idToBytes(ids.get(after) as FileId)),
  });
  const prefixed = (order: ListOrder, number: number): PageQuery => {
    const from = number - (number % PAGE);
    return { order, prefix: nameOf(from).slice(0, PREFIX_CUT), first: nameOf(order === 'name' ? from : from + PAGE - 1) };
  };
  // Backwards a cursor whose id is the greatest comes before its own name.
  return [
    { title: '`name`', queries: [start('name', 0), byName('name', middle, middle + 1), byName('name', last, last + 1)] },
    {
      title: '`-name`',
      queries: [start('-name', files - 1), byName('-name', middle, middle), byName('-name', PAGE - 1, PAGE - 1)],
    },
    {
      title: '`createdAt`',
      queries: [start('createdAt', 0), byCreation('createdAt', middle, middle + 1), byCreation('createdAt', last, last + 1)],
    },
    {
      title: '`-createdAt`',
      queries: [
        start('-createdAt', numberAt(files - 1, files)),
        byCreation('-createdAt', middle, middle - 1),
        byCreation('-createdAt', PAGE, PAGE - 1),
      ],
    },
    ...(['name', '-name'] as const).map((order) => ({
      title: `\`${order}\` with a prefix`,
      queries: [0, middle, files - PAGE].map((number) => prefixed(order, number)),
    })),
  ];
}

function start(order: ListOrder, number: number): PageQuery {
  return { order, prefix: '', first: nameOf(number) };
}

/** Milliseconds of the pages at the start, in the middle and at the end, by the name of the engine: medians of rounds in which all take turns. */
async function inTurns(
  engines: readonly Engine[],
  queriesOf: (engine: Engine) => readonly PageQuery[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const spent = new Map(engines.map(({ name }) => [name, PLACES.map((): number[] => [])]));
  for (let round = 0; round < ROUNDS; round += 1)
    for (const engine of engines)
      await oneRound(engine.store, { queries: queriesOf(engine), round, times: spent.get(engine.name) ?? [] });
  return new Map([...spent].map(([name, times]) => [name, times.map((list) => median(list).toFixed(1))]));
}

interface Round {
  readonly queries: readonly PageQuery[];
  readonly round: number;
  /** Of each query, where what it took is added. */
  readonly times: readonly number[][];
}

/** The first page after a pause pays for that, so each is the first at times. */
async function oneRound(store: MetadataStore, { queries, round, times }: Round): Promise<void> {
  for (let turn = 0; turn < queries.length; turn += 1) {
    const at = (round + turn) % queries.length;
    const query = queries[at];
    if (query !== undefined) times[at]?.push(await millisecondsOf(store, query));
  }
}

async function millisecondsOf(store: MetadataStore, { first, ...query }: PageQuery): Promise<number> {
  const began = performance.now();
  const { files } = await store.list({ owner: STORE, limit: PAGE, ...query }, NEVER);
  const spent = performance.now() - began;
  if (files.length !== PAGE || files[0]?.name !== first)
    throw new RangeError(
      `a page by ${query.order} has ${files.length} files and begins with ${files[0]?.name ?? ''}, not ${first}`,
    );
  return spent;
}
