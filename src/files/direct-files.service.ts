import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, Logger } from '@nestjs/common';
import { type FileId, parseId } from '../common/ids.js';
import { answerProblem } from '../http/answer-problem.js';
import { Exchange } from '../http/exchange.js';
import { principalOf, requireScope } from '../http/principal.js';
import type { Handler } from '../http/access-gate.js';
import { RequestLog } from '../http/request-log.js';
import { scopeFor } from '../http/scope.guard.js';
import { decodeQuery } from '../http/strict-query.js';
import { FileReceiver } from './file-receiver.service.js';
import { FileSender } from './file-sender.service.js';

/** `/files` or `/files/{id}`, with nothing behind it but perhaps the one parameter that an upload has. */
const TARGET = /^\/files(?:\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}))?(?:\?name=([!"$%'-~]*))?$/;

/** What answers a request. */
type Work = (exchange: Exchange) => Promise<void>;

/**
 * Answers uploads and downloads straight from the HTTP server: Express, Nest and their middleware cost several times as much as all that a
 * small file needs. It takes requests in the one form in which nearly all come; the same requests in another form (an id in capitals, escapes,
 * a slash at the end, an absolute address, more of a query) and those to be refused for their form go to the controller, which calls the
 * same methods.
 */
@Injectable()
export class DirectFiles {
  private readonly logger = new Logger(DirectFiles.name);

  constructor(
    private readonly receiver: FileReceiver,
    private readonly sender: FileSender,
    private readonly log: RequestLog,
  ) {}

  /** What answers the request, if it is one of ours. */
  handlerOf(asked: IncomingMessage): Handler | undefined {
    const work = this.workOf(asked);
    if (work === undefined) return undefined;
    return (request, response) =>
      this.log.follow(request, response, (id) => {
        const exchange = new Exchange(request, response, id);
        answer(work, exchange).catch((error: unknown) => this.giveUp(error, response));
      });
  }

  /** Behind an error in answering an error there is only the end of the connection; of the process it must not be. */
  private giveUp(error: unknown, response: ServerResponse): void {
    this.logger.error({ err: error }, 'a request could not be answered');
    response.destroy();
  }

  private workOf({ method, url = '' }: IncomingMessage): Work | undefined {
    if (method !== 'GET' && method !== 'PUT' && method !== 'HEAD') return undefined;
    const target = TARGET.exec(url);
    if (target === null) return undefined;
    const [, idText, nameText] = target;
    const id = idText === undefined ? undefined : parseId<FileId>(idText);
    if (idText !== undefined && id === undefined) return undefined;
    if (method === 'PUT') return (exchange) => this.receive(exchange, id, nameText);
    if (id === undefined || nameText !== undefined) return undefined;
    return (exchange) => this.sender.send(id, exchange);
  }

  private async receive(exchange: Exchange, replaces: FileId | undefined, nameText: string | undefined): Promise<void> {
    const name = nameText === undefined ? undefined : decodeQuery(nameText);
    await this.receiver.receive(exchange, replaces === undefined ? { name } : { name, replaces });
  }
}

async function answer(work: Work, exchange: Exchange): Promise<void> {
  try {
    const { request } = exchange;
    requireScope(principalOf(request), scopeFor(request.method));
    await work(exchange);
  } catch (error) {
    exchange.leaveHeaders();
    answerProblem(error, exchange);
  }
}
