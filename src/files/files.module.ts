import { type MiddlewareConsumer, Module, type NestModule, RequestMethod } from '@nestjs/common';
import { ChunkingModule } from '../chunking/chunking.module.js';
import { AppConfig } from '../config/app-config.js';
import { CryptoModule } from '../crypto/crypto.module.js';
import { AccountLimitsModule } from '../http/account-limits.module.js';
import { jsonBody } from '../http/json-body.js';
import { RequestLog } from '../http/request-log.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { RedundancyModule } from '../redundancy/redundancy.module.js';
import { RecordsModule } from '../records/records.module.js';
import { MoverService } from '../redundancy/repair/mover.service.js';
import { RedundancyService } from '../redundancy/redundancy.service.js';
import { Admission } from './admission.js';
import { AmendService } from './amend.service.js';
import { BodyWriter } from './body-writer.js';
import { DelegatedReads } from './delegated-reads.service.js';
import { DelegatedUploads } from './delegated-uploads.service.js';
import { DirectFiles } from './direct-files.service.js';
import { DownloadService } from './download.service.js';
import { FileChanges } from './file-changes.js';
import { FileReceiver } from './file-receiver.service.js';
import { FileSender } from './file-sender.service.js';
import { FilesController } from './files.controller.js';
import { KeyRotationService } from './key-rotation.service.js';
import { KeyUse } from './key-use.js';
import { QuotaLedger } from './quota-ledger.js';
import { RecordsService } from './records.service.js';
import { RetiredVersions } from './retired-versions.js';
import { SmallFileCache } from './small-file-cache.js';
import { UploadService } from './upload.service.js';
import { VersionCommitter } from './version-committer.js';

@Module({
  imports: [AccountLimitsModule, ChunkingModule, CryptoModule, RecordsModule, RedundancyModule, MetadataModule],
  controllers: [FilesController],
  providers: [
    Admission,
    AmendService,
    DelegatedReads,
    DelegatedUploads,
    DirectFiles,
    DownloadService,
    FileChanges,
    FileReceiver,
    FileSender,
    KeyRotationService,
    KeyUse,
    QuotaLedger,
    RecordsService,
    RequestLog,
    RetiredVersions,
    SmallFileCache,
    BodyWriter,
    UploadService,
    VersionCommitter,
  ],
  exports: [Admission, AmendService, DownloadService, FileSender, QuotaLedger, RetiredVersions, UploadService],
})
export class FilesModule implements NestModule {
  constructor(
    private readonly config: AppConfig,
    redundancy: RedundancyService,
    movers: MoverService,
    amends: AmendService,
  ) {
    // The walk over the nodes knows no keys, so it is from here that it gets what to do with a change that was never committed;
    // and who moves shards, how to make that known.
    redundancy.reconcileBy((id) => amends.reconcile(id));
    movers.changeFilesBy((id, work) => amends.relocate(id, work));
  }

  /** The upload routes must not have a body parser: it would eat JSON files. */
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(jsonBody(this.config.limits.json_bytes_max)).forRoutes({ path: 'files/:id', method: RequestMethod.PATCH });
  }
}
