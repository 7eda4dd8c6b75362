import { type MiddlewareConsumer, Module, type NestModule, RequestMethod } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { BearerAuthenticator } from '../auth/bearer.authenticator.js';
import { CryptoModule } from '../crypto/crypto.module.js';
import { DocumentsModule } from '../documents/documents.module.js';
import { jsonBody } from '../http/json-body.js';
import { BundlesService } from './bundles.service.js';
import { ExchangeGuard } from './exchange-guard.js';
import { Identities } from './identities.js';
import { IdentitiesController } from './identities.controller.js';
import { InvitationsService } from './invitations.service.js';
import { LoginAttempts } from './login-attempts.js';
import { LoginController } from './login.controller.js';
import { LoginService } from './login.service.js';
import { Logins } from './logins.js';
import { OpaqueServer } from './opaque-server.js';
import { PasswordService } from './password.service.js';
import { PendingExchanges } from './pending-exchanges.js';
import { RegistrationDoor } from './registration-door.js';
import { RegistrationService } from './registration.service.js';
import { SessionController } from './session.controller.js';
import { SessionsService } from './sessions.service.js';

/** Enough for a bundle in base64 and the messages around it. */
const BODY_BYTES_MAX = 20 * 1024;

/** Accounts of people: passwords that the server never sees, sessions, and what the clients seal. It knows no keys of users. */
@Module({
  imports: [AuthModule, CryptoModule, DocumentsModule],
  controllers: [IdentitiesController, LoginController, SessionController],
  providers: [
    BundlesService,
    ExchangeGuard,
    Identities,
    InvitationsService,
    LoginAttempts,
    LoginService,
    Logins,
    OpaqueServer,
    PasswordService,
    PendingExchanges,
    RegistrationDoor,
    RegistrationService,
    SessionsService,
  ],
  exports: [Identities],
})
export class AccountsModule implements NestModule {
  constructor(authenticator: BearerAuthenticator, sessions: SessionsService) {
    authenticator.register(sessions);
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply(jsonBody(BODY_BYTES_MAX))
      .forRoutes({ path: 'auth/*path', method: RequestMethod.POST }, { path: 'auth/*path', method: RequestMethod.PUT });
  }
}
