import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { ExpressAdapter } from '@nestjs/platform-express';
import express, { type Express } from 'express';
import type { AppConfig } from '../config/app-config.js';
import type { LiveTls } from '../config/live-tls.js';
import { refuseOtherMethods } from './allowed-methods.js';
import { createGuardedServer, endConnections } from './guarded-server.js';
import { strictQuery } from './strict-query.js';
import { TrustedProxies } from './trusted-proxies.js';

/** Takes requests straight from the server, before anything of Express, Nest or their middleware. */
export type DirectHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Express on a server that bounds what a connection may do before a request reaches the program. */
export class GuardedExpressAdapter extends ExpressAdapter {
  private readonly proxies: TrustedProxies;
  private direct: DirectHandler = (request, response) => this.answerByExpress(request, response);

  constructor(
    private readonly config: Pick<AppConfig, 'limits' | 'trusted_proxies'>,
    private readonly tls: LiveTls,
  ) {
    const app = express();
    app.disable('x-powered-by');
    app.disable('etag'); // it would digest every JSON answer, which costs a third of the requests per second
    app.set('query parser', strictQuery);
    super(app);
    this.proxies = new TrustedProxies(config.trusted_proxies);
  }

  override initHttpServer(): void {
    this.httpServer = createGuardedServer(this.config.limits, (request, response) => this.answer(request, response), this.tls);
  }

  /** Nest calls it when all routes are there. */
  override setNotFoundHandler(...handler: Parameters<ExpressAdapter['setNotFoundHandler']>): unknown {
    this.use(refuseOtherMethods(() => this.getInstance<Express>().router.stack));
    return super.setNotFoundHandler(...handler);
  }

  /** Answers a request, whichever server it came by. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    this.proxies.see(request);
    this.direct(request, response);
  }

  /** Where requests go that nothing takes before. */
  answerByExpress(request: IncomingMessage, response: ServerResponse): void {
    this.getInstance<RequestListener>()(request, response);
  }

  /** From now on each request goes to this handler. */
  serveDirectly(handler: DirectHandler): void {
    this.direct = handler;
  }

  /** Connections that still have an answer to come end with it, instead of keeping the process waiting for a next request. */
  override close(): Promise<unknown> | undefined {
    endConnections(this.httpServer as Server);
    return super.close();
  }
}
