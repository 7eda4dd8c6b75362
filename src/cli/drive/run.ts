import type { Drive, DriveServer } from '../../sdk/drive-api.js';
import { CliError } from './cli-error.js';
import type { CommonFlags, Context } from './context.js';
import { exitCode, type Exit } from './exit-codes.js';
import { failureOf } from './failure.js';
import { Output } from './output.js';
import { Profile } from './profile.js';
import { SecretInput } from './secret-input.js';

/** The same signal within this time is an echo: a terminal and npm both send it. */
const ECHO_MS = 500;

/** Runs one command: what goes wrong becomes one sentence and an exit code, and Ctrl-C ends it in order. */
export async function run(flags: CommonFlags, action: (context: Context) => Promise<void>): Promise<void> {
  const { stdin, stdout, stderr } = process;
  const output = new Output({ stdout, stderr, isJson: flags.json === true, isQuiet: flags.quiet === true });
  const ending = new AbortController();
  const stopListening = endBySignals(ending, output);
  const commandRun = new CommandRun(flags, {
    output,
    signal: ending.signal,
    secrets: new SecretInput(flags.passwordFile, { stdin, stderr }),
  });
  try {
    await commandRun.perform(action);
  } finally {
    stopListening();
  }
}

function endBySignals(ending: AbortController, output: Output): () => void {
  let firstAt: number | undefined;
  const onSignal = (): void => {
    const now = performance.now();
    if (firstAt !== undefined && now - firstAt > ECHO_MS) process.exit(exitCode('interrupted'));
    firstAt ??= now;
    output.setStatus('');
    ending.abort(new CliError('interrupted', 'interrupted'));
  };
  // Who reads the output may stop before its end, as `head` does.
  const onClosedPipe = (): void => {
    ending.abort(new CliError('pipe-closed', 'who read the output stopped reading'));
    if (isPipeClosed(ending.signal)) process.exitCode = exitCode('pipe-closed'); // the command may have ended by writing
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  process.stdout.on('error', onClosedPipe);
  return () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  };
}

function isPipeClosed({ reason }: AbortSignal): boolean {
  return reason instanceof CliError && reason.exit === 'pipe-closed';
}

class CommandRun implements Context {
  readonly output: Output;
  readonly secrets: SecretInput;
  readonly signal: AbortSignal;
  private readonly drives: Drive[] = [];
  private exit: Exit = 'ok';
  private advice: string | undefined;
  private known: Profile | undefined;

  constructor(
    private readonly flags: CommonFlags,
    { output, secrets, signal }: Pick<Context, 'output' | 'secrets' | 'signal'>,
  ) {
    this.output = output;
    this.secrets = secrets;
    this.signal = signal;
  }

  get profile(): Profile {
    this.known ??= Profile.of(this.flags.profile, process.env);
    return this.known;
  }

  async perform(action: (context: Context) => Promise<void>): Promise<void> {
    try {
      try {
        await action(this);
      } finally {
        this.output.setStatus('');
        for (const drive of this.drives) await drive.close();
      }
    } catch (error) {
      this.tell(error);
    }
    if (this.signal.aborted && this.advice !== undefined && this.exit === 'interrupted') this.output.warn(this.advice);
    process.exitCode = exitCode(isPipeClosed(this.signal) ? 'pipe-closed' : this.exit);
  }

  async server(url: string): Promise<DriveServer> {
    // Loaded when it is needed: the parts of a client take most of the time that `dcloud --help` would take.
    const { openServer } = await import('./open-server.js');
    await this.profile.prepare();
    return openServer(url, this.profile, this.signal);
  }

  async drive(): Promise<Drive> {
    const settings = await this.profile.settings();
    const drive = settings && (await (await this.server(settings.server)).resume({ signal: this.signal }));
    if (drive !== undefined) return this.adopt(drive);
    throw new CliError('not-allowed', `nobody is logged in by the profile "${this.profile.name}": dcloud login`);
  }

  adopt(drive: Drive): Drive {
    this.drives.push(drive);
    return drive;
  }

  endWith(exit: Exit): void {
    this.exit = exit;
  }

  onInterrupt(advice: string): void {
    this.advice = advice;
  }

  private tell(error: unknown): void {
    // Whatever a call says that was ended by us, it is the end that counts.
    const failure = failureOf(this.signal.aborted ? this.signal.reason : error);
    this.exit = failure.exit;
    if (failure.exit !== 'pipe-closed') this.output.fail(failure);
  }
}
