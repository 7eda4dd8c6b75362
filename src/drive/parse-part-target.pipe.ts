import { Injectable, type PipeTransform } from '@nestjs/common';
import { ParseFileId } from '../http/parse-id.pipe.js';
import { PARTS_MAX } from './drive-requests.dto.js';
import { ParseNumber } from './parse-number.pipe.js';
import { ParseRevision } from './parse-revision.pipe.js';
import type { PartTarget } from './revision-reads.service.js';

/** Takes from the path which part it is about, of which content of which file. */
@Injectable()
export class ParsePartTarget implements PipeTransform<Readonly<Record<string, string>>, PartTarget> {
  private readonly ids = new ParseFileId();
  private readonly revisions = new ParseRevision();
  private readonly parts = new ParseNumber(0, PARTS_MAX - 1);

  transform({ id = '', revision = '', part = '' }: Readonly<Record<string, string>>): PartTarget {
    return {
      nodeId: this.ids.transform(id),
      revision: this.revisions.transform(revision),
      part: this.parts.transform(part),
    };
  }
}
