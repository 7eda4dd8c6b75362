import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { knownPrincipalOf } from '../http/principal.js';
import { requestIdOf } from '../http/request-log.js';
import { ABORTED, beginNote, type RequestNote } from '../http/request-note.js';
import { AuditLog } from './audit-log.js';
import { routeOf } from './audited-route.js';

/** What changes nothing. */
const SAFE: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Answers to those who are not known, or may not do what they asked for, or tried too often to be known. */
const REFUSED: ReadonlySet<number> = new Set([401, 403, 429]);
/** Makes the first account, so that from then on there are some. */
const FIRST = '/admin/init';
/** What supervisors ask for all the time, and what tells nothing of what is stored. */
const OPEN = /^[A-Z]+ \/(?:health|metrics|docs|openapi)/;

/** Puts requests on record when they have been answered, whichever part of the program does that. */
@Injectable()
export class AuditTrail {
  private hasAccounts: () => boolean = () => false;

  constructor(
    private readonly config: AppConfig,
    private readonly log: AuditLog,
  ) {}

  /** From now on this says whether there are accounts. Without any, nothing is put on record unless the configuration says so. */
  askAccountsBy(hasAccounts: () => boolean): void {
    this.hasAccounts = hasAccounts;
  }

  /** Looks on at a request from its beginning. */
  follow(request: IncomingMessage, response: ServerResponse): void {
    const level = this.config.audit ?? (this.hasAccounts() || request.url === FIRST ? 'changes' : 'off');
    if (level === 'off') return;
    // From here on everybody calls it by this one.
    const id = (request.headers['x-request-id'] = requestIdOf(request));
    const note = beginNote(response);
    const isAll = level === 'all';
    response.on('close', () => {
      if (isAll || !SAFE.has(request.method) || REFUSED.has(response.statusCode)) this.ended({ request, response, note, id });
    });
  }

  private ended({ request, response, note, id }: Ended): void {
    const route = routeOf(request);
    // What asks for nothing that there is changes nothing, and whoever likes could fill the log with it.
    if (route === undefined ? !REFUSED.has(response.statusCode) : OPEN.test(route.what)) return;
    const whole = { id: note.id ?? route?.id, result: note.code ?? outcomeOf(response) };
    for (const { id: of, result } of note.parts ?? [whole])
      this.log.note({
        who: this.whoSent(request),
        what: route?.what ?? `${String(request.method)} *`,
        ...(of === undefined ? {} : { id: of }),
        result,
        request: id,
      });
  }

  private whoSent(request: IncomingMessage): string {
    const credentialId = knownPrincipalOf(request)?.credentialId ?? '';
    if (credentialId !== '') return credentialId;
    return this.hasAccounts() ? 'anonymous' : 'store';
  }
}

interface Ended {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly note: RequestNote;
  readonly id: string;
}

function outcomeOf(response: ServerResponse): string {
  return response.writableFinished ? String(response.statusCode) : ABORTED;
}
