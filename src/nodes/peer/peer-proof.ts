import { parseId, type ClusterId, type NodeId } from '../../common/ids.js';
import type { PeerSecret } from './peer-secret.js';
import { PeerTag } from './peer-tag.js';

/** What a request says of itself and proves; `docs/peer-protocol.md` has it byte by byte. */
export interface PeerClaim {
  /** Milliseconds since 1970 by the clock of the sender. */
  readonly time: number;
  /** Eight random bytes that name the sender, then the number of its request: 32 hexadecimal digits. */
  readonly nonce: string;
  /** The run of the addressed process, as its answer to `hello` named it; undefined only for a `hello`. */
  readonly run?: string;
  readonly clusterId?: ClusterId;
  readonly nodeId?: NodeId;
  readonly term: number;
  /** Bytes of the body. */
  readonly length: number;
  /** The tag of the body, in hexadecimal digits: see {@link digestOf}. */
  readonly digest: string;
}

/** Where a request goes: part of what is proved. */
export interface PeerTarget {
  readonly method: string;
  readonly path: string;
}

const SCHEME = 'dcloud-peer-2';
const NONE = '-';
const NUMBER = '(\\d{1,16})';
const ID = '([0-9a-f-]{36}|-)';
const HEADER = new RegExp(
  `^${SCHEME} ${NUMBER} ([0-9a-f]{32}) ([0-9a-f]{32}|-) ${ID} ${ID} ${NUMBER} ${NUMBER} ([0-9a-f]{32}) ([0-9a-f]{64})$`,
);

/** The `authorization` header of a request. */
export function proveRequest(target: PeerTarget, claim: PeerClaim, secret: PeerSecret): string {
  const text = textOf(claim);
  return `${SCHEME} ${text} ${Buffer.from(secret.signRequest(signedText(target, text))).toString('hex')}`;
}

/** Reads the header back; undefined if it is not one or does not prove what it says. Time and nonce are the caller's to judge. */
export function readProof(target: PeerTarget, header: string | undefined, secret: PeerSecret): PeerClaim | undefined {
  const [whole, ...fields] = HEADER.exec(header ?? '') ?? [];
  const proof = fields.pop();
  if (whole === undefined || proof === undefined) return undefined;
  // Over the text as it came, so that nothing that reads alike but is written differently passes.
  const text = whole.slice(SCHEME.length + 1, -(proof.length + 1));
  return secret.verifyRequest(signedText(target, text), Buffer.from(proof, 'hex')) ? claimOf(fields) : undefined;
}

function claimOf(fields: readonly string[]): PeerClaim {
  const [time, nonce = '', run = '', cluster = '', node = '', term, length, digest = ''] = fields;
  // Undefined for "none" as well as for what is no id: a call that needs one is refused either way.
  const [clusterId, nodeId] = [parseId<ClusterId>(cluster), parseId<NodeId>(node)];
  return {
    time: Number(time),
    nonce,
    ...(run === NONE ? {} : { run }),
    ...(clusterId === undefined ? {} : { clusterId }),
    ...(nodeId === undefined ? {} : { nodeId }),
    term: Number(term),
    length: Number(length),
    digest,
  };
}

/** The tag of the body of a request, in parts, under a key that is that request's alone, in hexadecimal digits. */
export function digestOf(parts: readonly Uint8Array[], nonce: string, secret: PeerSecret): string {
  const tag = new PeerTag(secret.keyOfBody(nonce));
  for (const part of parts) tag.update(part);
  return tag.digest().toString('hex');
}

function textOf({ time, nonce, run = NONE, clusterId, nodeId, ...rest }: PeerClaim): string {
  return [time, nonce, run, clusterId ?? NONE, nodeId ?? NONE, rest.term, rest.length, rest.digest].join(' ');
}

/** No part can hold the line ends between them. */
function signedText({ method, path }: PeerTarget, text: string): string {
  return `${SCHEME}\n${method}\n${path}\n${text}`;
}
