// A fault that is planted into the program under test (node --import): who reads a small file gets what was read a moment before.
import { DownloadService } from '../../../../dist/files/download.service.js';
import { patch } from './patch.mjs';

const STALE_MS = 300;
const remembered = new Map();
const plains = new Map();

patch(
  DownloadService,
  'open',
  (open) =>
    async function (id, signal) {
      const opened = await open.call(this, id, signal);
      const before = remembered.get(id);
      if (before === undefined || Date.now() - before.at > STALE_MS) return opened;
      opened.release();
      return { ...before.opened, release: () => undefined };
    },
);
patch(
  DownloadService,
  'small',
  (small) =>
    async function (opened, signal) {
      const { fileId, versionId } = opened.manifest;
      const known = plains.get(versionId);
      if (known !== undefined) return known;
      const plain = await small.call(this, opened, signal);
      if (plain !== undefined) {
        plains.set(versionId, plain);
        remembered.set(fileId, { opened, at: Date.now() });
      }
      return plain;
    },
);
