import type { IncomingMessage, ServerResponse } from 'node:http';
import { type DynamicModule, type NestApplicationOptions, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { NestExpressApplication } from '@nestjs/platform-express';
import * as classTransformer from 'class-transformer';
import * as classValidator from 'class-validator';
import { Logger } from 'nestjs-pino';
import { AuditLog } from './audit/audit-log.js';
import { AuditTrail } from './audit/audit-trail.service.js';
import { AppModule } from './app.module.js';
import { DomainError, errorCode } from './common/errors.js';
import { AccessService } from './auth/access.service.js';
import { AppConfig } from './config/app-config.js';
import { LiveTls } from './config/live-tls.js';
import { isLoopback } from './config/load-config.js';
import { KeyRingHolder } from './crypto/key-ring.holder.js';
import { DelegatedReads } from './files/delegated-reads.service.js';
import { DirectFiles } from './files/direct-files.service.js';
import { AccessGate } from './http/access-gate.js';
import { Authenticator } from './http/authenticator.js';
import { Cors } from './http/cors.js';
import { urlOf } from './http/guarded-server.js';
import { GuardedExpressAdapter } from './http/guarded-express.adapter.js';
import { ProgramLogger } from './http/program-logger.js';
import { RequestLog } from './http/request-log.js';
import { MetadataStore } from './metadata/metadata-store.js';
import type { ClusterParts } from './nodes/cluster-parts.js';
import { ReloadService } from './membership/reload.service.js';
import { NodeRegistry } from './nodes/node-registry.js';
import { createDocument, serveDocument } from './openapi.js';

/** A running server. */
export interface RunningApp {
  /** Where it listens. */
  readonly url: string;
  /** Reads the configuration anew, and takes over what may change while it runs. What is refused is logged. */
  readonly reload: () => Promise<void>;
  /** Ends running requests, then the background work, then closes the stores; throws if any of that fails. */
  readonly close: () => Promise<void>;
}

/** The modules that serve files, opened, behind a server that is somebody else's. */
export interface OpenApp {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** The fingerprints of the key ring that is in use. */
  readonly keys: () => readonly string[];
  readonly delegatedReads: DelegatedReads;
  /** See {@link RunningApp}. */
  readonly reload: () => Promise<void>;
  /** Ends the background work, then closes the stores; throws if any of that fails. */
  readonly close: () => Promise<void>;
}

/**
 * Makes the program as it runs in production, and listens.
 * @throws DomainError with one of the codes of a start that fails
 */
export async function startApp(config: AppConfig): Promise<RunningApp> {
  const tls = LiveTls.read(config);
  const app = await createNest(AppModule.forRoot(config, undefined, tls), config, PRODUCTION, tls);
  try {
    prepare(app);
    await app.init();
    await openAccounts(app, config);
    tls.watch();
    await app.listen(config.port, config.listen);
    const url = urlOf(app.getHttpServer(), tls);
    return {
      url,
      reload: () => reload(app),
      close: async () => {
        tls.close();
        await closeApp(app, config);
      },
    };
  } catch (error) {
    await closeApp(app, config);
    throw addressError(error, config) ?? error;
  }
}

/** Opens the program for a process that is one of several and has a server already. @throws DomainError as {@link startApp} */
export async function openApp(config: AppConfig, cluster: ClusterParts): Promise<OpenApp> {
  const app = await createNest(AppModule.forRoot(config, cluster, cluster.tls), config);
  try {
    prepare(app);
    await app.init();
    await app.get(AccessService, { strict: false }).open();
  } catch (error) {
    await closeApp(app, config);
    throw error;
  }
  const adapter = adapterOf(app);
  const keys = app.get(KeyRingHolder, { strict: false });
  return {
    answer: (request, response) => adapter.answer(request, response),
    keys: () => keys.current().fingerprints,
    delegatedReads: app.get(DelegatedReads, { strict: false }),
    reload: () => reload(app),
    close: () => closeApp(app, config),
  };
}

/** The API document of the program, which is put together for that but opens nothing: no storage, no keys, no port. */
export async function describeApi(config: AppConfig): Promise<OpenAPIObject> {
  return createDocument(await createNest(AppModule.forRoot(config), config, { preview: true, logger: false }));
}

// Without the flush by itself: Nest would print an error of ours with its stack, where the command line says it in one line.
const PRODUCTION: NestApplicationOptions = { bufferLogs: true, autoFlushLogs: false };

/** Nest around a module, on Express as it is to be here. */
export function createNest(
  module: DynamicModule,
  config: AppConfig,
  options: NestApplicationOptions = PRODUCTION,
  tls = LiveTls.none(),
): Promise<NestExpressApplication> {
  return NestFactory.create<NestExpressApplication>(module, new GuardedExpressAdapter(config, tls), {
    bodyParser: false, // the upload routes take any body as it is
    abortOnError: false,
    ...options,
  });
}

export function adapterOf(app: NestExpressApplication): GuardedExpressAdapter {
  return app.getHttpAdapter() as unknown as GuardedExpressAdapter;
}

function prepare(app: NestExpressApplication): void {
  app.useLogger(new ProgramLogger(app.get(Logger)));
  app.flushLogs();
  // The two packages are handed over: what Nest would load by itself is not what the bundle has (scripts/bundle.ts).
  const packages = { validatorPackage: classValidator, transformerPackage: classTransformer };
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true, ...packages }));
  serveDocument(app);
  placeGate(app);
}

/** Lets requests in by the gate alone. */
export function placeGate(app: NestExpressApplication): void {
  const adapter = adapterOf(app);
  const files = app.get(DirectFiles, { strict: false });
  const gate = new AccessGate(app.get(Authenticator, { strict: false }), app.get(RequestLog, { strict: false }), {
    direct: (request) => files.handlerOf(request),
    indirect: (request, response) => adapter.answerByExpress(request, response),
  });
  const audit = app.get(AuditTrail, { strict: false });
  audit.askAccountsBy(() => !app.get(AccessService, { strict: false }).accounts.isOpen);
  const cors = new Cors(app.get(AppConfig, { strict: false }).cors_origins);
  adapter.serveDirectly((request, response) => {
    if (cors.answer(request, response)) return;
    audit.follow(request, response);
    gate.answer(request, response);
  });
}

/** @throws DomainError `invalid-config` if the server would be open to other machines */
async function openAccounts(app: NestExpressApplication, { listen }: AppConfig): Promise<void> {
  const access = app.get(AccessService, { strict: false });
  await access.open();
  if (isLoopback(listen) || !access.accounts.isOpen) return;
  const detail = `listen is "${listen}": an address other than loopback needs accounts: make the first administrator by dcloud admin init`;
  throw new DomainError('invalid-config', detail);
}

/** The service has logged why, where it refuses. */
async function reload(app: NestExpressApplication): Promise<void> {
  await app.get(ReloadService, { strict: false }).reload();
}

async function closeApp(app: NestExpressApplication, config: AppConfig): Promise<void> {
  const { httpServer } = app.getHttpAdapter() as GuardedExpressAdapter & { httpServer: { closeAllConnections(): void } };
  const deadline = setTimeout(() => httpServer.closeAllConnections(), config.limits.shutdown_ms_max);
  try {
    await app.close();
  } finally {
    clearTimeout(deadline);
    await app.get(AuditLog, { strict: false }).close();
    // Not in Nest's shutdown hooks, which would log and swallow that the last commit could not be flushed.
    await app.get(MetadataStore).close();
    await closeNodes(app.get(NodeRegistry), app.get(Logger));
  }
}

/** A node that hangs has lost nothing that was acknowledged: it is said, and not waited for. */
async function closeNodes(registry: NodeRegistry, logger: Logger): Promise<void> {
  const closing = registry.nodes.map(async (node) => {
    try {
      await node.close();
    } catch (error) {
      logger.error({ node: node.number, err: error }, 'a node could not be closed');
    }
  });
  await Promise.all(closing);
}

/** What the system says of an address at which it cannot listen. */
const UNUSABLE: ReadonlyMap<string | undefined, string> = new Map([
  ['EADDRINUSE', 'another program listens there'],
  ['EACCES', 'not permitted'],
  ['EADDRNOTAVAIL', 'this machine has no such address'],
  ['EAFNOSUPPORT', 'this machine has no addresses of this kind'],
]);

export function addressError(cause: unknown, { listen, port }: AppConfig): DomainError | undefined {
  const code = errorCode(cause);
  const reason = isHostUnknown(cause, listen)
    ? `the host cannot be found (${String(code)}): listen is a name or an IP address, without a port or brackets`
    : UNUSABLE.get(code);
  return reason === undefined ? undefined : new DomainError('address-unusable', `${listen} port ${port}: ${reason}`, { cause });
}

/** Whatever looking for it gives (`ENOTFOUND`, `EAI_AGAIN` and others), and not that for another one, like that of the database. */
function isHostUnknown(cause: unknown, listen: string): boolean {
  const { code, syscall, hostname, address } = cause as NodeJS.ErrnoException & { hostname?: string; address?: string };
  return syscall === 'getaddrinfo' ? hostname === listen : syscall === 'listen' && code === 'EINVAL' && address === listen;
}
