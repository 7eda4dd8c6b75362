import { errorCode } from '../../common/errors.js';
import { NodeError, type NodeErrorKind } from '../storage-node.js';

/**
 * What the kernel's refusals mean to the caller of a node. Whatever is not here is `unavailable`: an I/O error, no more file
 * descriptors, and also ENOENT, because the directories of a node are made once and are missing only if its folder is.
 */
const KINDS: ReadonlyMap<string, NodeErrorKind> = new Map<string, NodeErrorKind>([
  ['ENOSPC', 'full'],
  ['EDQUOT', 'full'],
  ['EROFS', 'rejected'],
  ['EACCES', 'rejected'],
  ['EPERM', 'rejected'],
]);

/** The NodeError of a failed system call; any other error (of ours, the reason of an abort, a defect) is returned as it is. */
export function asNodeError(error: unknown, doing: string): Error {
  const code = errorCode(error);
  const isOfSystemCall = code !== undefined && typeof error === 'object' && error !== null && 'syscall' in error;
  if (!isOfSystemCall) return error as Error;
  return new NodeError(KINDS.get(code) ?? 'unavailable', `${doing}: ${code}`, { cause: error });
}

/** Does the work, and throws its failed system calls as NodeErrors. */
export async function asNodeErrors<Result>(doing: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asNodeError(error, doing);
  }
}
