import { type MiddlewareConsumer, Module, type NestModule, RequestMethod } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { BearerAuthenticator } from '../auth/bearer.authenticator.js';
import { DocumentsModule } from '../documents/documents.module.js';
import { FilesModule } from '../files/files.module.js';
import { jsonBody } from '../http/json-body.js';
import { ContentCommits } from './content-commits.js';
import { ContentWriter } from './content-writer.js';
import { DriveAges } from './drive-ages.js';
import { DriveCallers } from './drive-callers.js';
import { DriveClock } from './drive-clock.js';
import { DriveController } from './drive.controller.js';
import { BATCH_NODES_MAX } from './drive-requests.dto.js';
import { DriveReach } from './drive-reach.js';
import { DriveRemoval } from './drive-removal.js';
import { DriveStore } from './drive-store.js';
import { DriveSweep } from './drive-sweep.js';
import { DriveSweepService } from './drive-sweep.service.js';
import { DriveTidier } from './drive-tidier.js';
import { LinkCredentials } from './link-credentials.js';
import { LinkDocuments } from './link-documents.js';
import { LinkGuard } from './link-guard.js';
import { LinkOpening } from './link-opening.service.js';
import { LinkPageController } from './link-page.controller.js';
import { LinksController } from './links.controller.js';
import { LinksService } from './links.service.js';
import { NodeChanges } from './node-changes.service.js';
import { NodeCreation } from './node-creation.service.js';
import { NodeIds } from './node-ids.js';
import { NodeReads } from './node-reads.service.js';
import { DriveNodesController } from './nodes.controller.js';
import { NodeTurns } from './node-turns.js';
import { PartReceiver } from './part-receiver.service.js';
import { RevisionCommits } from './revision-commits.service.js';
import { RevisionReads } from './revision-reads.service.js';
import { DriveRevisionsController } from './revisions.controller.js';
import { Revisions } from './revisions.js';
import { SharedNodes } from './shared-nodes.service.js';
import { SharedWith } from './shared-with.js';
import { SharingCheck } from './sharing-check.js';
import { SharingController } from './sharing.controller.js';
import { SharingDocuments } from './sharing-documents.js';
import { SharingLookup } from './sharing-lookup.js';
import { SharingService } from './sharing.service.js';
import { Signers } from './signers.js';
import { StoredContentCommits } from './stored.content-commits.js';
import { TreeDriveRemoval } from './tree.drive-removal.js';
import { UploadGate } from './upload-gate.js';
import { DriveUploadsController } from './uploads.controller.js';
import { Uploads } from './uploads.js';
import { UploadsService } from './uploads.service.js';
import { StoredSharingLookup } from './stored.sharing-lookup.js';
import { VaultService } from './vault.service.js';
import { WriterCheck } from './writer-check.js';

const KiB = 1024;
/** A record in base64url. */
const RECORD_BODY_BYTES_MAX = 12 * KiB;
/** A manifest of 2 MiB, the digests of as many parts as there may be, and what else there is. */
const CONTENT_BODY_BYTES_MAX = 4 * KiB * KiB;
/** 32 nodes with small contents. */
const BATCH_BODY_BYTES_MAX = KiB * KiB;
/** 500 grants and a list of writers. */
const SHARING_BODY_BYTES_MAX = 2 * KiB * KiB;
const LINK_BODY_BYTES_MAX = 12 * KiB;
const PROOF_BODY_BYTES_MAX = KiB;
const VAULT_BODY_BYTES_MAX = 352 * KiB;

/** What clients that seal keep here: a tree of sealed records, and contents. It knows no keys. */
@Module({
  imports: [AccountsModule, AuthModule, DocumentsModule, FilesModule],
  controllers: [
    DriveController,
    DriveNodesController,
    DriveRevisionsController,
    DriveUploadsController,
    LinkPageController,
    LinksController,
    SharingController,
  ],
  providers: [
    ContentWriter,
    DriveAges,
    DriveCallers,
    DriveClock,
    DriveReach,
    DriveStore,
    DriveSweep,
    DriveSweepService,
    DriveTidier,
    LinkCredentials,
    LinkDocuments,
    LinkGuard,
    LinkOpening,
    LinksService,
    NodeChanges,
    NodeCreation,
    NodeIds,
    NodeReads,
    NodeTurns,
    PartReceiver,
    RevisionCommits,
    RevisionReads,
    Revisions,
    SharedNodes,
    SharedWith,
    SharingCheck,
    SharingDocuments,
    SharingService,
    Signers,
    TreeDriveRemoval,
    UploadGate,
    Uploads,
    UploadsService,
    VaultService,
    WriterCheck,
    { provide: ContentCommits, useClass: StoredContentCommits },
    { provide: DriveRemoval, useExisting: TreeDriveRemoval },
    { provide: SharingLookup, useClass: StoredSharingLookup },
  ],
})
export class DriveModule implements NestModule {
  constructor(authenticator: BearerAuthenticator, credentials: LinkCredentials) {
    authenticator.register(credentials);
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply(jsonBody(RECORD_BODY_BYTES_MAX))
      .forRoutes(
        { path: 'drive/ids', method: RequestMethod.POST },
        { path: 'drive/uploads', method: RequestMethod.POST },
        { path: 'drive/nodes/:id', method: RequestMethod.PUT },
      );
    consumer
      .apply(jsonBody(CONTENT_BODY_BYTES_MAX))
      .forRoutes(
        { path: 'drive/nodes', method: RequestMethod.POST },
        { path: 'drive/nodes/:id/revisions', method: RequestMethod.POST },
      );
    consumer
      .apply(jsonBody(BATCH_BODY_BYTES_MAX, BATCH_NODES_MAX))
      .forRoutes({ path: 'drive/nodes/batch', method: RequestMethod.POST });
    consumer.apply(jsonBody(SHARING_BODY_BYTES_MAX)).forRoutes({ path: 'drive/nodes/:id/sharing', method: RequestMethod.PUT });
    consumer.apply(jsonBody(LINK_BODY_BYTES_MAX)).forRoutes({ path: 'drive/nodes/:id/links', method: RequestMethod.POST });
    consumer.apply(jsonBody(PROOF_BODY_BYTES_MAX)).forRoutes({ path: 'drive/links/:id/open', method: RequestMethod.POST });
    consumer.apply(jsonBody(VAULT_BODY_BYTES_MAX)).forRoutes({ path: 'drive/vault/:name', method: RequestMethod.PUT });
  }
}
