import { auditPathOf } from '../audit/audit-path.js';
import { verifyAudit } from '../audit/verify-audit.js';
import type { AppConfig } from '../config/app-config.js';

/** Exit code for a log in which something is not as it was written. */
const EXIT_PROBLEMS = 1;
/** Breaks that are spelled out; the others are counted. */
const BREAKS_SHOWN = 100;

/** `dcloud audit verify` */
export async function verifyAuditLog(config: AppConfig, { expect }: { readonly expect?: string }): Promise<void> {
  const path = auditPathOf(config);
  const { files, lines, first, end, breaks, isExpectedFound } = await verifyAudit(path, expect);
  for (const { file, line, reason } of breaks.slice(0, BREAKS_SHOWN)) print(`${file}, line ${line}: ${reason}`);
  if (first === undefined || end === undefined) print(`${path} holds no lines`);
  else print(`${lines} lines in ${files} files, from ${first} to ${end.n}, which has the hash ${end.hash}`);
  const isMissing = expect !== undefined && !isExpectedFound;
  if (isMissing) print('no line has the hash that was expected: lines were cut off, or are no longer kept');
  print(breaks.length === 0 ? 'the chain is whole' : `the chain is broken in ${breaks.length} places`);
  if (breaks.length > 0 || isMissing) process.exitCode = EXIT_PROBLEMS;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
