import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { textOf } from '../http/sealed-fields.js';
import type { VaultItem } from './vault.service.js';

@ApiSchema({ name: 'VaultItem' })
export class VaultItemDto {
  @ApiProperty({ type: 'string', example: 'AQIDBA', description: 'As the client sealed it; base64url' })
  readonly bytes: string;
  @ApiProperty({ type: 'integer', example: 1, description: 'From 1; grows by one with each change' })
  readonly revision: number;

  constructor({ bytes, revision }: VaultItem) {
    this.bytes = textOf(bytes);
    this.revision = revision;
  }
}
