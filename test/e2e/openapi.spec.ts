import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenAPIObject } from '@nestjs/swagger';
import { parse } from 'yaml';
import { TestServer } from '../support/server.js';

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

let server: TestServer;
let document: OpenAPIObject;
let operations: readonly (Operation & { readonly method: string })[];

beforeAll(async () => {
  server = await TestServer.start();
  document = parse(await readFile('openapi.yaml', 'utf8')) as OpenAPIObject;
  operations = Object.values(document.paths).flatMap((path) =>
    Object.entries(path as Record<string, Operation>).map(([method, operation]) => ({ ...operation, method })),
  );
});

afterAll(async () => {
  await server.remove();
});

describe('openapi.yaml', () => {
  it('is what a server gives, which calls itself "/"', async () => {
    const servers = [{ url: '/', description: 'This server' }];
    expect(await (await fetch(`${server.url}/openapi.json`)).json()).toEqual({ ...document, servers });
    expect(parse(await (await fetch(`${server.url}/openapi.yaml`)).text())).toEqual({ ...document, servers });
  });

  it('names each operation once, in words that become names of functions', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(ids.toSorted()).toEqual([
      'beginUpload',
      'cancelDrain',
      'changeNode',
      'createAccount',
      'createInvitation',
      'createLink',
      'createNode',
      'createNodes',
      'createRevision',
      'createToken',
      'deleteAccount',
      'deleteFile',
      'deleteLink',
      'deleteNode',
      'deleteUpload',
      'downloadFile',
      'downloadPart',
      'drainNode',
      'endSession',
      'finishLogin',
      'finishPasswordChange',
      'finishRecovery',
      'finishRegistration',
      'getAccount',
      'getBackups',
      'getBundle',
      'getDriveNode',
      'getDriveRoot',
      'getFileInfo',
      'getFiles',
      'getHealth',
      'getIdentities',
      'getLiveness',
      'getMigration',
      'getNode',
      'getNodePath',
      'getReadiness',
      'getRebalance',
      'getRepair',
      'getRevision',
      'getScrub',
      'getSharing',
      'getUpload',
      'getUserBundle',
      'getVaultItem',
      'headFile',
      'initAdmin',
      'listAccounts',
      'listChildren',
      'listFiles',
      'listNodes',
      'listRevisions',
      'listSessions',
      'listShared',
      'listTokens',
      'logOut',
      'makeBackup',
      'openLink',
      'putBundle',
      'putSharing',
      'putVaultItem',
      'reloadConfig',
      'removeNode',
      'replaceFile',
      'replaceNode',
      'revokeToken',
      'startLogin',
      'startMigration',
      'startPasswordChange',
      'startRebalance',
      'startRecovery',
      'startRegistration',
      'startScrub',
      'takeIds',
      'updateAccount',
      'updateFile',
      'uploadFile',
      'uploadPart',
      'whoami',
    ]);
  });

  it('describes errors as problems, and only the answers to HEAD as empty', () => {
    for (const { operationId, method, responses } of operations) {
      for (const [status, { content }] of Object.entries(responses)) {
        const isEmpty = method === 'head' || status === '204' || status === '304';
        const isProblem = Number(status) >= 400 && !['getHealth', 'getLiveness', 'getReadiness'].includes(operationId);
        const type = isProblem
          ? 'application/problem+json'
          : ['downloadFile', 'downloadPart', 'makeBackup'].includes(operationId)
            ? 'application/octet-stream'
            : 'application/json';
        expect([operationId, status, Object.keys(content ?? {})]).toEqual([operationId, status, isEmpty ? [] : [type]]);
      }
    }
  });

  it('has an example of everything that is no object of its own', () => {
    const without = Object.entries(document.components?.schemas ?? {}).flatMap(([name, schema]) =>
      Object.entries('properties' in schema ? (schema.properties ?? {}) : {})
        .filter(([, property]) => !/"(example|\$ref)":/.test(JSON.stringify(property)))
        .map(([property]) => `${name}.${property}`),
    );
    expect(without).toEqual([]);
  });
});
