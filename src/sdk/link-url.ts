import { parseId } from '../common/ids.js';
import { concat, fromBase64Url, randomBytes, toBase64Url, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { KEY_BYTES } from './hkdf.js';

const FORMAT = 0x01;
const PATH = /^\/l\/(?<linkId>[^/]+)$/u;

export interface LinkAddress {
  /** Of the server, without a path: `https://host`. */
  readonly origin: string;
  readonly linkId: string;
  readonly secret: Bytes;
}

export function newLinkSecret(): Bytes {
  return randomBytes(KEY_BYTES);
}

/** `https://host/l/<linkId>#<secret>`: no browser and no client sends what stands behind the `#`. */
export function formatLink({ origin, linkId, secret }: LinkAddress): string {
  return `${origin}/l/${linkId}#${toBase64Url(concat(Uint8Array.of(FORMAT), secret))}`;
}

/** @throws SdkError `invalid-link`, `unsupported-format` */
export function parseLink(text: string): LinkAddress {
  if (!URL.canParse(text)) throw new SdkError('invalid-link');
  const url = new URL(text);
  const isPlain = /^https?:$/u.test(url.protocol) && url.search === '' && url.username === '' && url.password === '';
  const linkId = parseId(PATH.exec(url.pathname)?.groups?.['linkId'] ?? '');
  if (!isPlain || linkId === undefined) throw new SdkError('invalid-link');
  return { origin: url.origin, linkId, secret: parseSecret(url.hash.slice(1)) };
}

function parseSecret(text: string): Bytes {
  const fragment = fromBase64Url(text);
  if (fragment === undefined || fragment.length === 0) throw new SdkError('invalid-link');
  if (fragment[0] !== FORMAT) throw new SdkError('unsupported-format');
  if (fragment.length !== 1 + KEY_BYTES) throw new SdkError('invalid-link');
  return fragment.slice(1);
}
