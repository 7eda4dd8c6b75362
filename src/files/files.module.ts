import { type MiddlewareConsumer, Module, type NestModule, RequestMethod } from '@nestjs/common';
import { ChunkingModule } from '../chunking/chunking.module.js';
import { AppConfig } from '../config/app-config.js';
import { CryptoModule } from '../crypto/crypto.module.js';
import { jsonBody } from '../http/json-body.js';
import { MetadataModule } from '../metadata/metadata.module.js';
import { RedundancyModule } from '../redundancy/redundancy.module.js';
import { Admission } from './admission.js';
import { DownloadService } from './download.service.js';
import { FileReceiver } from './file-receiver.service.js';
import { FileSender } from './file-sender.service.js';
import { FilesController } from './files.controller.js';
import { KeyRotationService } from './key-rotation.service.js';
import { KeyUse } from './key-use.js';
import { RecordsService } from './records.service.js';
import { UploadService } from './upload.service.js';
import { VersionCommitter } from './version-committer.js';

@Module({
  imports: [ChunkingModule, CryptoModule, RedundancyModule, MetadataModule],
  controllers: [FilesController],
  providers: [
    Admission,
    DownloadService,
    FileReceiver,
    FileSender,
    KeyRotationService,
    KeyUse,
    RecordsService,
    UploadService,
    VersionCommitter,
  ],
})
export class FilesModule implements NestModule {
  constructor(private readonly config: AppConfig) {}

  /** The upload routes must not have a body parser: it would eat JSON files. */
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(jsonBody(this.config.limits.json_bytes_max)).forRoutes({ path: 'files/:id', method: RequestMethod.PATCH });
  }
}
