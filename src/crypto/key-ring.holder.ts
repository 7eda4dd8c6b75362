import { unwatchFile, watchFile } from 'node:fs';
import { DomainError, errorCode } from '../common/errors.js';
import type { ClusterId } from '../common/ids.js';
import { changeKeyRing, putBackKeyRing, readKeyRing } from './key-ring-file.js';
import type { KeyRing, LoginSetup, RingKey } from './key-ring.js';

/** How often the file is looked at for a change that `dcloud keys rotate` made, and after how long one that was refused is tried again. */
const TIMING = { watchMs: 500, retryMs: 5000 };

/**
 * The key ring of a running server: the file's content, taken over again when another process changes it. The keys in memory are what
 * the files hang on: no file that lacks one of them is taken over, and a file that vanished is written again.
 */
export class KeyRingHolder {
  private keyRing: KeyRing;
  /** Keys that nothing needed any more: the file may lack them even if the change that dropped them failed half way. */
  private readonly dropped = new Set<string>();
  private retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly path: string,
    private readonly clusterId: ClusterId,
    private readonly timing: typeof TIMING = TIMING,
  ) {
    this.keyRing = readKeyRing(path, clusterId);
  }

  current(): KeyRing {
    return this.keyRing;
  }

  /**
   * @param onChange called after a change was taken over or a problem is over, and with a DomainError that says what to do for a
   *   change that was refused and for a file that vanished; the keys in use stay then, and the file is looked at again some seconds later.
   */
  watch(onChange: (problem?: unknown) => void): void {
    let reported: string | undefined;
    const look = (isNews: boolean): void => {
      this.cancelRetry();
      try {
        const isOther = this.takeOver();
        const isOver = reported !== undefined;
        reported = undefined;
        if (isOther || isOver) onChange();
      } catch (problem) {
        // A retry that fails as before is no news; what made it fail was said.
        if (isNews || String(problem) !== reported) onChange(problem);
        reported = String(problem);
        this.retry = setTimeout(() => look(false), this.timing.retryMs).unref();
      }
    };
    watchFile(this.path, { interval: this.timing.watchMs, persistent: false }, () => look(true));
    // What changed since the constructor read the file is before the first stat, which the watcher compares all others with.
    look(false);
    // And that stat is made by another thread after this: what changed up to then shows now, and is no difference to the watcher.
    this.retry ??= setTimeout(() => look(false), this.timing.retryMs).unref();
  }

  unwatch(): void {
    unwatchFile(this.path);
    this.cancelRetry();
  }

  /** Drops a key that nothing needs any more, here and in the file. Throws as `changeKeyRing`, and `key-missing` as a change does. */
  drop(id: string): void {
    this.dropped.add(id);
    this.keyRing = changeKeyRing(
      this.path,
      (keyRing) => {
        this.assertKeepsKeys(keyRing);
        return keyRing.keys.some((key) => key.id === id) ? keyRing.without(id) : keyRing;
      },
      this.clusterId,
    );
  }

  /**
   * The login setup, made and durable in the file if there was none. Who makes one has made sure that no account hangs on another.
   * Throws as `changeKeyRing`.
   */
  loginSetup(make: () => Uint8Array): LoginSetup {
    const change = (keyRing: KeyRing): KeyRing => {
      this.assertKeepsKeys(keyRing);
      return keyRing.loginSetup === undefined ? keyRing.withLoginSetup(make(), Date.now()) : keyRing;
    };
    if (this.keyRing.loginSetup === undefined) this.keyRing = changeKeyRing(this.path, change, this.clusterId);
    const { loginSetup } = this.keyRing;
    if (loginSetup === undefined) throw new TypeError('the login setup was not kept');
    return loginSetup;
  }

  private cancelRetry(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
  }

  /** Takes the file's content over; true if it is another than the one in use. */
  private takeOver(): boolean {
    const before = this.keyRing;
    const after = this.readOrPutBack();
    this.assertKeepsKeys(after);
    for (const { id } of after.keys) this.dropped.delete(id);
    this.keyRing = after;
    const isSame = after.active === before.active && after.keys.length === before.keys.length;
    return !isSame || lacking(before, after).length > 0;
  }

  private readOrPutBack(): KeyRing {
    try {
      return readKeyRing(this.path, this.clusterId);
    } catch (cause) {
      if (errorCode(cause) !== 'storage-missing') throw cause;
      if (this.putBack(cause)) {
        const detail = `${this.path} vanished while the server ran, and was written again from memory: find out who removed it, and copy it`;
        throw new DomainError('storage-missing', detail, { cause });
      }
    }
    // It came back in the meantime.
    return readKeyRing(this.path, this.clusterId);
  }

  /** False if the file is there again. */
  private putBack(missing: unknown): boolean {
    try {
      return putBackKeyRing(this.path, this.keyRing);
    } catch (error) {
      const detail =
        `${this.path} vanished while the server ran, and cannot be written again: ${String(error)}. Its keys are in the memory of this ` +
        'process alone, and without them no file can be read: do not stop it before the file is there again. It goes on trying';
      throw new DomainError('storage-missing', detail, { cause: new AggregateError([missing, error]) });
    }
  }

  private assertKeepsKeys(other: KeyRing): void {
    const ids = lacking(other, this.keyRing).filter((id) => !this.dropped.has(id));
    if (ids.length === 0) return;
    throw new DomainError(
      'key-missing',
      `${this.path} lacks ${ids.join(', ')}, which this server uses: it is an older copy or another one, and was not taken over. Put the ` +
        'newer key ring back before this server stops, or move this one away: the server then writes the keys in use there again',
    );
  }
}

/** What of `ring` `other` does not have, by the ids of the keys: a key of the same id that is another key is none of them. */
function lacking(other: KeyRing, ring: KeyRing): readonly string[] {
  const isIn = (key: RingKey): boolean => other.keys.some(({ id, key: secret }) => id === key.id && secret.equals(key.key));
  const ids = ring.keys.filter((key) => !isIn(key)).map(({ id }) => id);
  const { loginSetup } = ring;
  if (loginSetup === undefined || other.loginSetup?.secret.equals(loginSetup.secret) === true) return ids;
  return [...ids, 'the login setup'];
}
