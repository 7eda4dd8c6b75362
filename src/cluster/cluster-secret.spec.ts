import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppConfig } from '../config/app-config.js';
import { openSecret } from './cluster-secret.js';

let directory: string;
let config: AppConfig;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dcloud-secret-'));
  config = { storage_directory: directory, cluster_secret: null } as AppConfig;
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('openSecret', () => {
  it('is that of the configuration, without a file', () => {
    expect(openSecret({ storage_directory: directory, cluster_secret: 'x'.repeat(32) } as AppConfig)).toBe('x'.repeat(32));
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is made once for all processes of a storage directory, for its owner only', () => {
    const secret = openSecret(config);
    expect(secret.length).toBeGreaterThanOrEqual(32);
    expect(openSecret(config)).toBe(secret);
    expect(readdirSync(directory)).toEqual(['cluster-secret']);
    expect(statSync(join(directory, 'cluster-secret')).mode & 0o777).toBe(0o600);
  });

  it('is not taken from a file that is damaged or that others can read', () => {
    const path = join(directory, 'cluster-secret');
    writeFileSync(path, 'short', { mode: 0o600 });
    expect(() => openSecret(config)).toThrow(/damaged/);
    writeFileSync(path, 'y'.repeat(40));
    chmodSync(path, 0o644);
    expect(() => openSecret(config)).toThrow(/others than its owner/);
  });
});
