#!/usr/bin/env node
// Written for any Node.js: an old one hands over to the one that npm installed, and nothing newer is parsed before.
import { setFlagsFromString } from 'node:v8';
import { isRecentNode, nodeBinary } from './node-binary.mjs';

if (isRecentNode()) {
  // Each file operation takes one of libuv's threads, and an fsync holds it for a millisecond: the default of 4 would be
  // the ceiling of all writes. And a disk that hangs keeps up to 9 of them (8 calls and a probe), so there must be more
  // than any number of frozen nodes that is to be survived can take. Read by libuv when the first one is needed.
  process.env.UV_THREADPOOL_SIZE ??= '128';
  // V8 would learn that what a request makes is long-lived, and put it into the old generation (docs/adr/0025-one-bundle.md).
  setFlagsFromString('--no-allocation-site-pretenuring');
  const program = new URL('../dist/bundle/main.js', import.meta.url).href;
  const { main } = await import(program).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || error.url !== program) throw error;
    console.error('dcloud is not built yet: run "npm run build" first.');
    process.exit(1);
  });
  await main(process.argv);
} else {
  const { spawn } = await import('node:child_process');
  const { constants } = await import('node:os');
  const child = spawn(nodeBinary(), process.argv.slice(1), { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
