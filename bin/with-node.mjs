#!/usr/bin/env node
// Runs a command with the Node.js that this project needs first on the PATH: this machine's own if it is new
// enough, else the one that npm installed beside us (optionalDependencies). See docs/adr/0001-node-runtime.md.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';
import { nodeBinary } from './node-binary.mjs';

const [command, ...args] = process.argv.slice(2);
const path = `${dirname(nodeBinary())}${delimiter}${process.env.PATH ?? ''}`;
const windows = process.platform === 'win32'; // there npm's commands are .cmd files, which only a shell can start
const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, PATH: path }, shell: windows });

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(`cannot start ${command}: ${error.message}`);
  process.exit(127);
});
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
