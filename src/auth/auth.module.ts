import { type MiddlewareConsumer, Module, type NestModule, RequestMethod } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { DocumentsModule } from '../documents/documents.module.js';
import { AccountLimitsModule } from '../http/account-limits.module.js';
import { Authenticator } from '../http/authenticator.js';
import { jsonBody } from '../http/json-body.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { AccessController } from './access.controller.js';
import { AccessService } from './access.service.js';
import { AccountDirectory } from './account-directory.js';
import { AccountsController } from './accounts.controller.js';
import { AttemptLimiter } from './attempt-limiter.js';
import { BearerAuthenticator } from './bearer.authenticator.js';
import { TokensController } from './tokens.controller.js';
import { TokensService } from './tokens.service.js';

/** Who may do what. */
@Module({
  imports: [AccountLimitsModule, DocumentsModule, MetadataModule],
  controllers: [AccessController, AccountsController, TokensController],
  providers: [
    AccessService,
    AccountDirectory,
    AttemptLimiter,
    BearerAuthenticator,
    TokensService,
    { provide: Authenticator, useExisting: BearerAuthenticator },
  ],
  exports: [AccessService, AccountDirectory, AttemptLimiter, Authenticator, BearerAuthenticator],
})
export class AuthModule implements NestModule {
  constructor(private readonly config: AppConfig) {}

  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply(jsonBody(this.config.limits.json_bytes_max))
      .forRoutes(
        { path: 'admin/init', method: RequestMethod.POST },
        { path: 'accounts', method: RequestMethod.POST },
        { path: 'accounts/:id', method: RequestMethod.PATCH },
        { path: 'tokens', method: RequestMethod.POST },
      );
  }
}
