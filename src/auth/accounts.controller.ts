import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import type { FileId } from '../common/ids.js';
import { Access } from '../http/access.js';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { requestSignal } from '../http/request-signal.js';
import { AccessService } from './access.service.js';
import { AccountDto, AccountsDto, AccountWishDto, UpdateAccountDto, UsedAccountDto } from './account.dto.js';
import {
  DescribeAccount,
  DescribeAccounts,
  DescribeCreateAccount,
  DescribeDeleteAccount,
  DescribeUpdateAccount,
} from './auth.openapi.js';

/** Who may use the store, and for how much. */
@ApiTags('accounts')
@Controller('accounts')
@Access('admin')
export class AccountsController {
  constructor(private readonly service: AccessService) {}

  @Post()
  @DescribeCreateAccount()
  async create(
    @Body() wish: AccountWishDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AccountDto> {
    const { name, role = 'user', quotaBytes = null, quotaFiles = null } = wish;
    const quota = { bytes: quotaBytes, files: quotaFiles };
    return new AccountDto(await this.service.accounts.create({ name, role, quota }, requestSignal(request, response)));
  }

  @Get()
  @DescribeAccounts()
  list(): AccountsDto {
    return new AccountsDto(this.service.accounts.list());
  }

  @Get(':id')
  @DescribeAccount()
  async get(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UsedAccountDto> {
    const account = this.service.accounts.require(id);
    return new UsedAccountDto(await this.service.use(account, requestSignal(request, response)));
  }

  @Patch(':id')
  @DescribeUpdateAccount()
  async update(
    @Param('id', ParseFileId) id: FileId,
    @Body() changes: UpdateAccountDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UsedAccountDto> {
    const { role, disabled, quotaBytes, quotaFiles } = changes;
    const change = {
      ...(role !== undefined && { role }),
      ...(disabled !== undefined && { isDisabled: disabled }),
      ...(quotaBytes !== undefined && { quotaBytes }),
      ...(quotaFiles !== undefined && { quotaFiles }),
    };
    return new UsedAccountDto(await this.service.change(id, change, requestSignal(request, response)));
  }

  @Delete(':id')
  @HttpCode(204)
  @DescribeDeleteAccount()
  remove(
    @Param('id', ParseFileId) id: FileId,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    return this.service.remove(id, requestSignal(request, response));
  }
}
