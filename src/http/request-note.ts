import type { ServerResponse } from 'node:http';
import type { ErrorCode } from '../common/errors.js';

/** What only those know who answer a request, for who keeps a record of it. */
export interface RequestNote {
  /** Of the error that it was answered with. */
  code?: ErrorCode;
  /** Of what it made, where its address does not name it. */
  id?: string;
  /** If it asked for several things, what became of each: the status or the code of an error, and of what. */
  parts?: readonly NotedPart[];
}

/** What became of a request whose sender left before it was answered. */
export const ABORTED = 'aborted';

export interface NotedPart {
  readonly id?: string | undefined;
  readonly result: string;
}

const notes = new WeakMap<ServerResponse, RequestNote>();

/** Begins a note on a request. Where nobody does, there is none, and nothing is kept. */
export function beginNote(response: ServerResponse): RequestNote {
  const note: RequestNote = {};
  notes.set(response, note);
  return note;
}

export function noteOf(response: ServerResponse): RequestNote | undefined {
  return notes.get(response);
}
