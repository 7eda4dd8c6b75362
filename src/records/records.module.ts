import { Module } from '@nestjs/common';
import { CryptoModule } from '../crypto/crypto.module.js';
import { RecordSealer } from './record-sealer.js';

@Module({ imports: [CryptoModule], providers: [RecordSealer], exports: [RecordSealer] })
export class RecordsModule {}
