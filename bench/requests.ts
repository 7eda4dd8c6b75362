import type { NextRequest } from './load.ts';

/** @param times how often the body is sent, behind each other, to make a large one of it */
export function put(body: Buffer, times = 1): NextRequest {
  return {
    head: `PUT /files?name=bench HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: ${body.length * times}\r\n\r\n`,
    body,
    times,
  };
}

function without(method: string, path: string, header = ''): NextRequest {
  return { head: `${method} /files/${path} HTTP/1.1\r\nHost: localhost\r\n${header}\r\n` };
}

export function get(id: string): NextRequest {
  return without('GET', id);
}

export function getRange(id: string, from: number, bytes: number): NextRequest {
  return without('GET', id, `Range: bytes=${from}-${from + bytes - 1}\r\n`);
}

export function stat(id: string): NextRequest {
  return without('HEAD', id);
}

export function remove(id: string): NextRequest {
  return without('DELETE', id);
}

/** A page of a list by name. */
export function list(limit: number, cursor: string | undefined): NextRequest {
  return without('GET', `list?limit=${limit}&order=name${cursor === undefined ? '' : `&cursor=${cursor}`}`);
}

/** The id in what a put was answered. */
export function idOf(answer: string): string {
  return (JSON.parse(answer) as { readonly id: string }).id;
}
