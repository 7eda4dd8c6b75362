import { idToBytes, type AnyId } from '../../common/ids.js';
import { DomainError } from '../../common/errors.js';
import { decodeCursor, encodeCursor, mayBeginName } from '../list-cursor.js';
import type { FilePage, ListOrder, ListQuery } from '../metadata-store.js';
import { FILE_COLUMNS, toFile, type FileRow } from './file-rows.js';
import { statement, type Statement, type Values } from './statement.js';

const ID_BYTES = 16;
const SURROGATES = { first: 0xd800, behind: 0xe000 } as const;
const CODE_POINT_MAX = 0x10ffff;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Where a page begins. */
interface Place {
  readonly name: string;
  readonly id: string;
}

/** What a list asks: one statement for each shape, which goes through an index from one place on. */
export interface ListRequest {
  readonly statement: Statement;
  readonly values: Values;
}

/** @returns undefined if nothing can have such a name. @throws DomainError `invalid-cursor` */
export function listRequest({ owner, order, prefix, limit, cursor }: ListQuery): ListRequest | undefined {
  const place = cursor && placeOf(order, cursor);
  const byName = order.endsWith('name');
  if (byName && !mayBeginName(prefix)) return undefined;
  const values = { owner, limit: limit + 1, ...place };
  if (!byName) return { statement: statementFor(order, { after: place !== undefined }), values };
  const upper = prefix === '' ? undefined : upperOf(prefix);
  const isReverse = order === '-name';
  // Of two places to begin at only the nearer one is asked for, or the index would be read from the other.
  const after = place !== undefined && isInside(place.name, { lower: prefix, upper, isReverse });
  const shape = { after, lower: prefix !== '' && (isReverse || !after), upper: upper !== undefined && (!isReverse || !after) };
  return { statement: statementFor(order, shape), values: { ...values, prefix, upper } };
}

export function toPage({ order, limit }: ListQuery, rows: readonly FileRow[]): FilePage {
  const files = rows.slice(0, limit).map(toFile);
  const last = files.at(-1);
  if (rows.length <= limit || last === undefined) return { files };
  const id = idToBytes(last.id);
  const key = order.endsWith('name') ? Buffer.concat([Buffer.from(last.name), Buffer.of(0), id]) : id;
  return { files, nextCursor: encodeCursor(order, key) };
}

interface Shape {
  readonly after: boolean;
  readonly lower?: boolean;
  readonly upper?: boolean;
}

function statementFor(order: ListOrder, { after, lower = false, upper = false }: Shape): Statement {
  const isReverse = order.startsWith('-');
  const keys = order.endsWith('name') ? 'name, id' : 'id';
  const direction = isReverse ? ' DESC' : '';
  const conditions = [
    'owner = :owner::text',
    ...(after ? [`(${keys}) ${isReverse ? '<' : '>'} (${keys === 'id' ? '' : ':name::text, '}:id::uuid)`] : []),
    ...(lower ? ['name >= :prefix::text'] : []),
    ...(upper ? ['name < :upper::text'] : []),
  ];
  const name = `list_${order}_${Number(after)}${Number(lower)}${Number(upper)}`;
  const by = ['owner', ...keys.split(', ')].map((key) => `${key}${direction}`).join(', ');
  return statement(name, `SELECT ${FILE_COLUMNS} FROM files WHERE ${conditions.join(' AND ')} ORDER BY ${by} LIMIT :limit::int`);
}

function placeOf(order: ListOrder, cursor: Uint8Array): Place {
  const key = decodeCursor(order, cursor);
  const id = Buffer.from(key.subarray(key.length - ID_BYTES)).toString('hex');
  try {
    return { name: utf8.decode(key.subarray(0, Math.max(0, key.length - ID_BYTES - 1))), id };
  } catch (cause) {
    throw new DomainError('invalid-cursor', 'the cursor is not one of this list', { cause });
  }
}

interface Bounds {
  readonly lower: string;
  readonly upper: string | undefined;
  readonly isReverse: boolean;
}

/** Whether a place is nearer than the end of the range at which the list would begin. */
function isInside(name: string, { lower, upper, isReverse }: Bounds): boolean {
  if (!isReverse) return compare(name, lower) >= 0;
  return upper === undefined || compare(name, upper) < 0;
}

function compare(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** The least text behind all that begin with a prefix, in the order of code points, which is that of UTF-8; undefined if there is none. */
function upperOf(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  const last = points.findLastIndex((point) => point < CODE_POINT_MAX);
  if (last < 0) return undefined;
  const next = (points[last] ?? 0) + 1;
  return String.fromCodePoint(...points.slice(0, last), next === SURROGATES.first ? SURROGATES.behind : next);
}

/** Before all ids. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000' as AnyId;
