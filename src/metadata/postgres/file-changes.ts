import assert from 'node:assert/strict';
import { DomainError } from '../../common/errors.js';
import type { FileId, VersionId } from '../../common/ids.js';
import {
  StaleBasisError,
  type Amendment,
  type Commit,
  type Committed,
  type FileRecord,
  type Relocation,
  type StoredFile,
  type Tombstone,
} from '../metadata-store.js';
import { toStored, usageValues, versionValues, fileValues, type StoredRow } from './file-rows.js';
import { AMEND, CREATE, RELOCATE, REMOVE, REPLACE } from './file-statements.js';
import type { ChangeRow, FileChange } from './index-calls.js';

/** What a change was made for and from. */
interface Basis {
  readonly expected?: VersionId | undefined;
  readonly basis: number;
}

/** Of a statement that locks the row of the file: as it was, or with nulls if there is none. */
type CurrentRow = ChangeRow & (StoredRow | { readonly id: null });

export function creating({ file, manifest, lastPage }: Extract<Commit, { kind: 'create' }>): FileChange<Committed> {
  assert.equal(file.versionId, manifest.versionId, 'a file is made with its own version');
  assert.equal(file.id, manifest.fileId, 'a version is committed to its own file');
  return {
    statement: CREATE,
    values: { ...versionValues(manifest, lastPage), ...fileValues(file) },
    revision: file.revision,
    decode: ({ made }) => {
      assert(made, 'a version is committed once, with all its layout pages, and never after it became garbage');
      return { file };
    },
    recall: () => ({ file }),
  };
}

export function replacing(commit: Extract<Commit, { kind: 'replace' }>): FileChange<Committed> {
  const { fileId, manifest, lastPage, name, contentType, updatedAt, revision } = commit;
  assert.equal(fileId, manifest.fileId, 'a version is committed to its own file');
  return changing(commit, {
    statement: REPLACE,
    values: { ...versionValues(manifest, lastPage), id: fileId, name, contentType, updatedAt },
    revision,
    after: ({ file, manifest: replaced }) => ({
      file: {
        ...file,
        name: name ?? file.name,
        contentType: contentType ?? file.contentType,
        size: manifest.size,
        versionId: manifest.versionId,
        updatedAt,
        revision,
      },
      replaced,
    }),
  });
}

export function amending(id: FileId, amendment: Amendment, expected: VersionId | undefined): FileChange<FileRecord> {
  const { basis, revision, recordNodes, name, contentType, updatedAt, wrapped, layoutRevision } = amendment;
  const { kekId, wrappedKey } = wrapped ?? {};
  return changing(
    { basis, expected },
    {
      statement: AMEND,
      values: { id, recordNodes, name, contentType, updatedAt, kekId, wrappedKey, layoutRevision },
      revision,
      after: ({ file }) => ({
        ...file,
        name: name ?? file.name,
        contentType: contentType ?? file.contentType,
        updatedAt: updatedAt ?? file.updatedAt,
        revision,
      }),
    },
  );
}

export function relocating({ fileId: id, versionId, basis, ...to }: Relocation): FileChange<StoredFile> {
  const { m, usage, recordNodes, pages, revision } = to;
  return changing(
    { basis, expected: versionId },
    {
      statement: RELOCATE,
      values: {
        id,
        m,
        recordNodes,
        ...usageValues(usage),
        pages: pages.map(({ page }) => page),
        pageBytes: pages.map(({ bytes }) => bytes),
      },
      revision,
      after: ({ file, manifest }) => ({ file: { ...file, revision }, manifest: { ...manifest, m, usage, recordNodes } }),
    },
  );
}

export function removing({ fileId: id, revision, kekId, nodes }: Tombstone, basis: Basis): FileChange<StoredFile> {
  return changing(basis, { statement: REMOVE, values: { id, kekId, nodes }, revision, after: (before) => before });
}

interface Change<Result> extends Pick<FileChange<Result>, 'statement' | 'values' | 'revision'> {
  /** What comes of the file as it was. */
  readonly after: (before: StoredFile) => Result;
}

function changing<Result>(basis: Basis, { after, values, ...change }: Change<Result>): FileChange<Result> {
  return {
    ...change,
    values: { ...values, revision: change.revision, basis: basis.basis, expected: basis.expected },
    decode: (row) => after(requireMade(row as CurrentRow, basis)),
    recall: (before) => after(toStored(before as StoredRow)),
  };
}

/** The file as it was before the change. @throws why the change was not made */
function requireMade(row: CurrentRow, { expected, basis }: Basis): StoredFile {
  if (row.id === null) throw new DomainError('file-not-found', 'there is no file with this id');
  if (row.made) return toStored(row);
  if (expected !== undefined && expected !== row.version_id)
    throw new DomainError('precondition-failed', 'the file has another version by now');
  if (row.revision !== basis) throw new StaleBasisError();
  throw new assert.AssertionError({ message: 'all layout pages of a change are there, and its version is no garbage' });
}
