import { timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DomainError, errorCode } from '../common/errors.js';
import type { FileId } from '../common/ids.js';
import { sha256 } from '../sdk/bytes.js';
import { DriveReach } from './drive-reach.js';
import { LinkCredentials, type NewCredential } from './link-credentials.js';
import { LinkDocuments, linkNotFound, type FoundLink } from './link-documents.js';
import { LinkGuard, type LinkProof } from './link-guard.js';
import { PROOF_HASH_BYTES } from './stored-link.js';

/** Refusals come at whole numbers of these after the question: to find a link takes longer than to find none. */
const REFUSAL_STEP_MS = 50;
const NO_HASH = new Uint8Array(PROOF_HASH_BYTES);

export interface OpenedLink extends NewCredential {
  /** As its owner sealed it. */
  readonly link: Uint8Array;
}

/** Lets those in who have a link. */
@Injectable()
export class LinkOpening {
  constructor(
    private readonly documents: LinkDocuments,
    private readonly credentials: LinkCredentials,
    private readonly reach: DriveReach,
    private readonly guard: LinkGuard,
  ) {}

  /**
   * Counts as one use, also if the answer is lost on the way.
   * @throws DomainError `link-not-found` alike for an unknown link and a wrong proof, and for one whose node is gone; `link-expired`,
   *   `too-many-attempts`, `accounts-required`
   */
  async open(proof: LinkProof, signal: AbortSignal): Promise<OpenedLink> {
    await this.guard.begin(proof, signal);
    const beganAt = performance.now();
    const found = await this.documents.find(proof.linkId, signal);
    if (!(await isProven(proof, found))) {
      await untilNextStep(beganAt, signal);
      this.guard.refuse(proof);
    }
    return this.documents.inTurn(proof.linkId, () => this.letIn(proof.linkId, signal));
  }

  private async letIn(linkId: FileId, signal: AbortSignal): Promise<OpenedLink> {
    const link = await this.documents.find(linkId, signal);
    if (link === undefined || !this.guard.isServed(link)) throw linkNotFound();
    requireNotOver(link);
    const { account, nodeId, expiresAt } = link;
    const credential = this.credentials.begin({ linkId, node: { account, nodeId }, expiresAt });
    try {
      await this.reach.see(credential.principal, nodeId, signal);
      if (link.usesMax !== undefined) await this.documents.count(link, signal);
    } catch (error) {
      this.credentials.end(credential.id);
      throw errorCode(error) === 'node-not-found' ? linkNotFound(error) : error;
    }
    return { ...credential, link: link.link };
  }
}

/** Without a link, too, something is hashed and compared. */
async function isProven({ proof }: LinkProof, found: FoundLink | undefined): Promise<boolean> {
  const isEqual = timingSafeEqual(await sha256(proof), found?.proofHash ?? NO_HASH);
  return isEqual && found !== undefined;
}

function requireNotOver({ expiresAt, usesMax, uses }: FoundLink): void {
  if (expiresAt !== undefined && expiresAt <= Date.now()) throw new DomainError('link-expired', 'the time of the link is over');
  if (usesMax !== undefined && uses >= usesMax)
    throw new DomainError('link-expired', 'the link was opened as often as it may be');
}

async function untilNextStep(beganAt: number, signal: AbortSignal): Promise<void> {
  const ms = performance.now() - beganAt;
  await sleep(REFUSAL_STEP_MS * Math.ceil(ms / REFUSAL_STEP_MS) - ms, undefined, { signal });
}
