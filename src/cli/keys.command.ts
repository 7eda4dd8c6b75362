import { readKeyRing, changeKeyRing } from '../crypto/key-ring-file.js';
import type { AppConfig } from '../config/app-config.js';
import type { KeyRing } from '../crypto/key-ring.js';

export function showKeys(config: AppConfig): void {
  print(readKeyRing(pathOf(config)));
}

/** A server that runs takes the new key ring over by itself and retires the old keys when nothing is sealed by them any more. */
export function rotateKeys(config: AppConfig): void {
  print(changeKeyRing(pathOf(config), (keyRing) => keyRing.withNewActiveKey(Date.now())));
  process.stdout.write(
    'Everything new is sealed by the active key. A running server wraps the old files anew and then drops the old keys.\n',
  );
}

function pathOf({ key_ring: path }: AppConfig): string {
  if (path === null) throw new TypeError('the configuration is not complete');
  return path;
}

function print(keyRing: KeyRing): void {
  for (const { id, state, createdAt } of keyRing.keys)
    process.stdout.write(`${id}  ${state.padEnd(12)}  ${new Date(createdAt).toISOString()}\n`);
  if (keyRing.loginSetup !== undefined)
    process.stdout.write(`login setup (of all accounts)  ${new Date(keyRing.loginSetup.createdAt).toISOString()}\n`);
}
