import { argon2idHash } from '../../sdk/argon2id.js';
import { connect } from '../../sdk/connect.js';
import type { DriveServer } from '../../sdk/drive-api.js';
import { nodeFloe } from '../../sdk/node-floe-back-end.js';
import { nodeSigner } from '../../sdk/node-signer.js';
import { nodeSymmetric } from '../../sdk/node-symmetric.js';
import { useSigner } from '../../sdk/signature.js';
import { useSymmetric } from '../../sdk/symmetric.js';
import type { Profile } from './profile.js';

/** A server as this machine speaks to it: with the ciphers of Node.js, and what the profile keeps. */
export async function openServer(url: string, { state }: Profile, signal: AbortSignal): Promise<DriveServer> {
  useSymmetric(nodeSymmetric);
  useSigner(nodeSigner);
  return connect(url, { state, floe: nodeFloe, passwordHash: argon2idHash, signal });
}
