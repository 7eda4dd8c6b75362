import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryDocumentStore } from '../../test/support/memory.document-store.js';
import { AccountDirectory } from '../auth/account-directory.js';
import { type ClusterId, type FileId, newId } from '../common/ids.js';
import type { UserName } from '../common/user-name.js';
import type { AppConfig } from '../config/app-config.js';
import { LIMITS } from '../config/limits.js';
import { createKeyRing, readKeyRing } from '../crypto/key-ring-file.js';
import { KeyRingHolder } from '../crypto/key-ring.holder.js';
import { AccountLimits } from '../http/account-limits.js';
import { Logins } from './logins.js';
import { OpaqueServer } from './opaque-server.js';

const { signal } = new AbortController();
const clusterId = newId<ClusterId>();

let directory: string;
let path: string;
let logins: Logins;

const opaqueServer = (): OpaqueServer => new OpaqueServer(new KeyRingHolder(path, clusterId), logins);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'opaque-server-'));
  path = join(directory, 'key-ring.json');
  createKeyRing(path, clusterId, Date.now());
  const documents = new MemoryDocumentStore();
  const config = { limits: LIMITS } as unknown as AppConfig;
  logins = new Logins(documents, new AccountDirectory(config, documents, new AccountLimits()));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('the server’s half of a login', () => {
  it('makes its setup when it is first needed, and goes on with it', async () => {
    const server = opaqueServer();
    expect(readKeyRing(path).loginSetup).toBeUndefined();
    await server.ready(signal);
    expect(readKeyRing(path).loginSetup?.secret.symmetricKeySize).toBe(128);
    const again = opaqueServer();
    await again.ready(signal);
    expect(Buffer.from(again.fingerprint()).equals(server.fingerprint())).toBe(true);
    again.assertSetup(server.fingerprint());
  });

  it('makes none while somebody has registered, and takes none for another', async () => {
    // Who is not there leaves something, too, and does not count.
    expect(await logins.find('nobody' as UserName, signal)).toBeUndefined();
    expect(await logins.isEmpty(signal)).toBe(true);
    const login = {
      account: newId<FileId>(),
      setup: new Uint8Array(8),
      password: 'AAAA',
      recovery: undefined,
      epoch: 0,
      keptSession: undefined,
      bundle: { sealed: new Uint8Array(), identity: new Uint8Array() },
    };
    await logins.create('ada' as UserName, login, signal);
    const lacks = { code: 'key-missing' };
    await expect(opaqueServer().ready(signal)).rejects.toMatchObject(lacks);
    expect(readKeyRing(path).loginSetup).toBeUndefined();
    const other = new KeyRingHolder(path, clusterId);
    other.loginSetup(() => Buffer.from(newSetup(), 'base64url'));
    const server = opaqueServer();
    await server.ready(signal);
    expect(() => server.assertSetup(login.setup)).toThrow(expect.objectContaining(lacks));
  });
});

function newSetup(): string {
  return 'LsU96Ir1AAOvrUhmN0QBAZOcHpuV6fuFdNBhSt772QMz-hHdp_yOtocw9QIIJbG2FSWTSemEMuWqfTmSr6kU6DxJoC25WvKVrdX84OkmiQ0WaOdedMjNjo723QaDQtgNarNFVaowMhAIAr0nyl1gPMJ_vEEReF4TdeWVAxTLl1c';
}
