import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { DocumentsModule } from '../documents/documents.module.js';
import { FilesModule } from '../files/files.module.js';
import { DriveStore } from './drive-store.js';

/** What clients that seal keep here: a tree of sealed records, and contents. It knows no keys. */
@Module({
  imports: [AuthModule, DocumentsModule, FilesModule],
  providers: [DriveStore],
})
export class DriveModule {}
