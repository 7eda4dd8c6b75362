import { join } from 'node:path';
import type { AppConfig } from '../config/app-config.js';

/** Where the audit log is. Processes of a cluster may share their storage directory, and a chain has one writer. */
export function auditPathOf({ storage_directory: directory, node }: AppConfig): string {
  return join(directory, node === null ? 'audit.log' : `audit_${node}.log`);
}
