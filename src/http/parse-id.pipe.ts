import { Injectable, type PipeTransform } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import { parseId, type FileId } from '../common/ids.js';

/** Takes a file's id from the path. */
@Injectable()
export class ParseFileId implements PipeTransform<string, FileId> {
  transform(text: string): FileId {
    const id = parseId<FileId>(text);
    if (id === undefined) throw new DomainError('invalid-id', 'the id in the path must be a UUID');
    return id;
  }
}
