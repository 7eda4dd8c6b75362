import { Injectable, type PipeTransform } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { VAULT_NAMES, type VaultName } from './vault.service.js';

/** Takes the name of something in a vault from the path. */
@Injectable()
export class ParseVaultName implements PipeTransform<string, VaultName> {
  transform(text: string): VaultName {
    const name = VAULT_NAMES.find((known) => known === text);
    if (name === undefined) throw new DomainError('vault-not-found', `a vault has ${VAULT_NAMES.join(', ')}`);
    return name;
  }
}
