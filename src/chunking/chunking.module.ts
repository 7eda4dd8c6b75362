import { Module } from '@nestjs/common';
import { Chunker } from './chunker.js';

@Module({ providers: [Chunker], exports: [Chunker] })
export class ChunkingModule {}
