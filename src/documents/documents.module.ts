import { Module } from '@nestjs/common';
import { FilesModule } from '../files/files.module.js';
import { DocumentStore } from './document-store.js';
import { FileDocumentStore } from './file.document-store.js';

@Module({
  imports: [FilesModule],
  providers: [{ provide: DocumentStore, useClass: FileDocumentStore }],
  exports: [DocumentStore],
})
export class DocumentsModule {}
