import type { NextRequest } from './load.ts';

export function put(body: Buffer): NextRequest {
  return {
    head: `PUT /files?name=bench HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: ${body.length}\r\n\r\n`,
    body,
  };
}

export function get(id: string): NextRequest {
  return { head: `GET /files/${id} HTTP/1.1\r\nHost: localhost\r\n\r\n` };
}

/** The id in what a put was answered. */
export function idOf(answer: string): string {
  return (JSON.parse(answer) as { readonly id: string }).id;
}
