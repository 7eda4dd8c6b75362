import type { PipeTransform } from '@nestjs/common';
import { DomainError } from '../common/errors.js';

const DIGITS = /^(?:0|[1-9]\d{0,9})$/;

/** Takes a number from the path. */
export class ParseNumber implements PipeTransform<string, number> {
  constructor(
    private readonly least: number,
    private readonly most: number,
  ) {}

  transform(text: string): number {
    const number = Number(text);
    if (DIGITS.test(text) && number >= this.least && number <= this.most) return number;
    throw new DomainError('invalid-request', `the number in the path must be from ${this.least} to ${this.most}`);
  }
}
