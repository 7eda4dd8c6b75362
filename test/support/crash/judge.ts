import { bytesOf, type Content, type FileState, sha256 } from './journal.ts';
import type { Violation, ViolationKind } from './violation.ts';

/** Bytes that are compared at once when mixed versions are looked for: less than any slice. */
const BLOCK_BYTES = 64;

/** A file as a reader sees it. */
export interface Seen {
  readonly status: number;
  /** The body, or undefined if the connection broke before it was complete. */
  readonly bytes: Buffer | undefined;
  readonly contentType: string | null;
  readonly digest: string | null;
  readonly etag: string | null;
}

export const ANSWER_MS_MAX = 30_000;

/** Reads a file's bytes; never throws, since a broken answer is one of those that are judged. */
export async function see(
  url: string,
  id: string,
  { headers = {}, msMax = ANSWER_MS_MAX }: { readonly headers?: Readonly<Record<string, string>>; readonly msMax?: number } = {},
): Promise<Seen> {
  let seen: Seen = { status: 0, bytes: undefined, contentType: null, digest: null, etag: null };
  try {
    const response = await fetch(`${url}/files/${id}`, { headers, signal: AbortSignal.timeout(msMax) });
    const { status } = response;
    const [contentType, digest, etag] = ['content-type', 'repr-digest', 'etag'].map((name) => response.headers.get(name));
    seen = { status, bytes: undefined, contentType: contentType ?? null, digest: digest ?? null, etag: etag ?? null };
    return { ...seen, bytes: Buffer.from(await response.arrayBuffer()) };
  } catch {
    return seen; // without bytes: it broke
  }
}

/** What is wrong with bytes that are none of the allowed contents, in the word that tells most. `contents` are all that the file ever had. */
export function kindOfWrongBytes(
  bytes: Buffer,
  { allowed, contents }: { readonly allowed: readonly Content[]; readonly contents: readonly Content[] },
): ViolationKind {
  const isBeginning = (content: Content): boolean =>
    content.size > bytes.length && bytesOf(content).subarray(0, bytes.length).equals(bytes);
  if (allowed.some(isBeginning)) return 'truncated';
  const known = [...contents, ...allowed].map(bytesOf);
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    if (!known.some((content) => content.subarray(at, at + BLOCK_BYTES).equals(block))) return 'wrong-bytes';
  }
  return 'mixed';
}

/** Judges an answer with status 200 by the states that the file may have: the one that it has, or what is wrong. */
export function judge(
  seen: Seen & { readonly bytes: Buffer },
  states: readonly FileState[],
  contents: readonly Content[],
): { readonly state: FileState } | Violation {
  const sum = sha256(seen.bytes);
  const fitting = states.filter(({ content }) => content.sha256 === sum);
  if (fitting.length === 0) {
    const allowed = states.map(({ content }) => content);
    const sizes = allowed.map(({ size }) => size).join(' or ');
    const kind = kindOfWrongBytes(seen.bytes, { allowed, contents });
    return { kind, detail: `${seen.bytes.length} bytes were read where there should be ${sizes}` };
  }
  const expected = `sha-256=:${Buffer.from(sum, 'hex').toString('base64')}:`;
  if (seen.digest !== expected) return { kind: 'wrong-digest', detail: `Repr-Digest is ${String(seen.digest)}, not ${expected}` };
  const state = fitting.find(({ contentType }) => contentType === seen.contentType);
  if (state !== undefined) return { state };
  return { kind: 'wrong-type', detail: `Content-Type is ${String(seen.contentType)}, not ${String(fitting[0]?.contentType)}` };
}
