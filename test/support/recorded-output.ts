import { Output, type Sink } from '../../src/cli/drive/output.js';

/** An output of the command line whose words are kept. */
export interface RecordedOutput {
  readonly output: Output;
  /** What went to standard error. */
  readonly said: string[];
}

export function recordedOutput({ isLive = false }: { readonly isLive?: boolean } = {}): RecordedOutput {
  const said: string[] = [];
  const stderr: Sink = { isTTY: isLive, columns: 80, write: (text) => said.push(text) };
  const stdout: Sink = { write: () => undefined };
  return { said, output: new Output({ stdout, stderr, isJson: false, isQuiet: false }) };
}
