import type { Drive, DriveServer } from '../../sdk/drive-api.js';
import type { Exit } from './exit-codes.js';
import type { Output } from './output.js';
import type { Profile } from './profile.js';
import type { SecretInput } from './secret-input.js';

/** Options of every command that works with a drive. */
export interface CommonFlags {
  readonly profile?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly passwordFile?: string;
}

/** What a command works with. */
export interface Context {
  readonly output: Output;
  readonly secrets: SecretInput;
  readonly profile: Profile;
  /** Ends at Ctrl-C. */
  readonly signal: AbortSignal;
  /** The server at an address, as this profile knows it. */
  server(url: string): Promise<DriveServer>;
  /** The drive of who is logged in. @throws CliError if nobody is */
  drive(): Promise<Drive>;
  /** Closes a drive when the command has ended. */
  adopt(drive: Drive): Drive;
  /** The exit code of a command that has told its failures itself. */
  endWith(exit: Exit): void;
  /** What a person is told after Ctrl-C. */
  onInterrupt(advice: string): void;
}
