import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Request, Response } from 'express';
import { errorCode } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import type { BackupSchedule } from './backup-schedule.service.js';
import type { BackupWriter } from './backup-writer.js';
import { BackupController } from './backup.controller.js';
import { BackupService } from './backup.service.js';
import type { KeptBackups } from './kept-backups.js';
import { MEMORY_DISK } from '../../test/support/memory-disk.js';

const PIECE = Buffer.alloc(1024 * 1024);
/** More than the kernel takes for a client that does not read. */
const PIECES = 32;
const IDLE_MS = 400;

describe('BackupController', () => {
  let directory: string;
  let server: Server;
  let client: Socket | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(MEMORY_DISK, 'dcloud-turn-'));
    const config = { storage_directory: directory } as AppConfig;
    const writer = {
      write: async function* () {
        for (let at = 0; at < PIECES; at += 1) yield await Promise.resolve(PIECE);
      },
    } as unknown as BackupWriter;
    const service = new BackupService(config, {} as MetadataStore, writer);
    const controller = new BackupController(config, service, {} as KeptBackups, {} as BackupSchedule);
    server = createServer((request, response) => {
      controller.make(request as Request, response as Response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(409).end(errorCode(error));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    client?.destroy();
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  });

  const port = (): number => (server.address() as AddressInfo).port;

  /** A client that takes the beginning of a backup, and no more. */
  async function begun(): Promise<Socket> {
    const socket = connect(port(), '127.0.0.1');
    client = socket;
    socket.write('POST /backup HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n');
    await once(socket, 'readable');
    return socket;
  }

  async function ask(): Promise<string | number> {
    const answer = await fetch(`http://127.0.0.1:${port()}/backup`, { method: 'POST' });
    if (answer.status !== 200) return answer.text();
    return (await answer.arrayBuffer()).byteLength;
  }

  async function untilFree(): Promise<string | number> {
    const until = performance.now() + 5000;
    for (let answer = await ask(); ; answer = await ask())
      if (answer !== 'backup-running' || performance.now() > until) return answer;
  }

  it('has one backup at a time under the storage directory, until its client left', async () => {
    const socket = await begun();
    expect(await ask()).toBe('backup-running');
    socket.destroy();
    expect(await untilFree()).toBe(PIECES * PIECE.length);
    expect(await untilFree()).toBe(PIECES * PIECE.length);
  });

  it('is free again when its client takes nothing for as long as a connection may be idle', async () => {
    server.timeout = IDLE_MS;
    await begun();
    server.timeout = 0; // of those that come now: they may take longer on a busy machine
    expect(await ask()).toBe('backup-running');
    expect(await untilFree()).toBe(PIECES * PIECE.length);
  });
});
