import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CliError } from './cli-error.js';
import { errorCode } from '../../common/errors.js';
import { NodeFileStateStore } from '../../sdk/node-file.state-store.js';
import { writeFileDurably } from '../../common/durable-file.js';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/u;
const DEFAULT_NAME = 'default';
const OWNER_ONLY = 0o700;

/** Which account this is, to be said before anything is asked of a server. No secret. */
export interface ProfileSettings {
  readonly server: string;
  readonly userName: string;
}

/** What this user of this machine keeps of one account: a folder that nobody else may read. */
export class Profile {
  private constructor(
    readonly name: string,
    readonly folder: string,
  ) {}

  static of(flag: string | undefined, environment: NodeJS.ProcessEnv): Profile {
    const name = flag ?? environment['DCLOUD_PROFILE'] ?? DEFAULT_NAME;
    if (!NAME.test(name)) throw new CliError('usage', 'the name of a profile is made of letters, digits, dots and dashes');
    const base = environment['XDG_CONFIG_HOME'];
    const config = base === undefined || base === '' ? join(homedir(), '.config') : base;
    return new Profile(name, join(config, 'dcloud', 'profiles', name));
  }

  /** The session and the keys. */
  get state(): NodeFileStateStore {
    return new NodeFileStateStore(join(this.folder, 'state'));
  }

  /** How far uploads came that were not finished. */
  get uploads(): NodeFileStateStore {
    return new NodeFileStateStore(join(this.folder, 'uploads'));
  }

  /** Commands on many files that were not finished. */
  get jobs(): NodeFileStateStore {
    return new NodeFileStateStore(join(this.folder, 'jobs'));
  }

  /** Undefined if nobody has logged in by this profile. */
  async settings(): Promise<ProfileSettings | undefined> {
    let text: string;
    try {
      text = await readFile(this.settingsFile, 'utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    const { server, userName } = parsed(text);
    if (typeof server === 'string' && typeof userName === 'string') return { server, userName };
    throw new CliError('damaged', `${this.settingsFile} cannot be read: log in again`);
  }

  /** The same for who does not need them: undefined also if they cannot be read. */
  async readableSettings(): Promise<ProfileSettings | undefined> {
    try {
      return await this.settings();
    } catch (error) {
      if (error instanceof CliError && error.exit === 'damaged') return undefined;
      throw error;
    }
  }

  async keep(settings: ProfileSettings): Promise<void> {
    await this.prepare();
    writeFileDurably(this.settingsFile, `${JSON.stringify(settings)}\n`, 0o600);
  }

  /** Makes the folder, and closes it to others if somebody opened it. */
  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: OWNER_ONLY });
    await chmod(this.folder, OWNER_ONLY);
  }

  /** Forgets the account and its keys. What was seen of it stays, sealed: who logs in again is not to be shown something older. */
  async forget(): Promise<void> {
    await this.state.delete('account');
    for (const path of [this.settingsFile, join(this.folder, 'uploads'), join(this.folder, 'jobs')])
      await rm(path, { recursive: true, force: true });
  }

  private get settingsFile(): string {
    return join(this.folder, 'profile.json');
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
