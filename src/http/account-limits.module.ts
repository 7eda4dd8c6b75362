import { Module } from '@nestjs/common';
import { AccountLimits } from './account-limits.js';

/** The one place where it is known what owners may store. */
@Module({ providers: [AccountLimits], exports: [AccountLimits] })
export class AccountLimitsModule {}
