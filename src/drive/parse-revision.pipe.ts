import { Injectable, type PipeTransform } from '@nestjs/common';
import { ParseNumber } from './parse-number.pipe.js';

const LATEST = 'latest';
/** What 8 hexadecimal digits can say. */
const REVISION_MAX = 0xffff_ffff;

/** Takes the number of a revision from the path, or `latest`. */
@Injectable()
export class ParseRevision implements PipeTransform<string, number | typeof LATEST> {
  private readonly numbers = new ParseNumber(1, REVISION_MAX);

  transform(text: string): number | typeof LATEST {
    return text === LATEST ? LATEST : this.numbers.transform(text);
  }
}
