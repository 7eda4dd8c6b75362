import { ByteReader, ByteWriter } from '../../common/byte-codec.js';
import type { ClusterId } from '../../common/ids.js';
import type { IndexTransit } from '../moving/index-transit.js';
import { decodeIdentity, encodeIdentity } from './index-rows.js';
import type { Table } from './index-tables.js';

/** Grows with each change that an older program could not read. */
export const SCHEMA = 3;
/** Of an index with a mark of a move: to a program that knows of no moves it is a newer one, which it refuses. */
export const SCHEMA_IN_TRANSIT = 4;

export const IDENTITY = Buffer.from('identity');
const TRANSIT = Buffer.from('transit');
const FORMAT = 1;

/** Says, within a transaction, what the index is: whose, and whether it is on its way. */
export function writeIdentity(meta: Table, clusterId: ClusterId, transit: IndexTransit | undefined): void {
  meta.putSync(IDENTITY, encodeIdentity({ schema: transit === undefined ? SCHEMA : SCHEMA_IN_TRANSIT, clusterId }));
  if (transit === undefined) meta.removeSync(TRANSIT);
  else {
    const { state, engine, id } = transit;
    meta.putSync(TRANSIT, new ByteWriter().number(FORMAT).text(state).text(engine).text(id).finish());
  }
}

/** Marks an index that has its identity. */
export function writeTransit(meta: Table, transit: IndexTransit | undefined): void {
  const row = meta.getBinary(IDENTITY);
  if (row === undefined) throw new Error('the index has no identity');
  writeIdentity(meta, decodeIdentity(row).clusterId, transit);
}

export function readTransit(meta: Table): IndexTransit | undefined {
  const row = meta.getBinary(TRANSIT);
  if (row === undefined) return undefined;
  const reader = new ByteReader(row);
  const [format, state, engine, id] = [reader.number(), reader.text(), reader.text(), reader.text()];
  reader.end();
  const isKnown =
    format === FORMAT && (state === 'moved' || state === 'arriving') && (engine === 'embedded' || engine === 'postgres');
  if (!isKnown) throw new Error('the index has a mark that is not known');
  return { state, engine, id };
}
