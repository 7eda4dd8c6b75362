import { rmSync } from 'node:fs';

interface Left {
  /** Processes that may run then. */
  readonly pids: () => readonly number[];
  readonly directory: string;
}

const left = new Set<Left>();

process.once('exit', () => {
  for (const { pids, directory } of left) {
    for (const pid of pids()) kill(pid);
    rmSync(directory, { recursive: true, force: true });
  }
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Processes that are killed and a directory that is removed when this process is broken off; call what is returned when both are gone. */
export function atExit(entry: Left): () => void {
  left.add(entry);
  return () => void left.delete(entry);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return; // it has ended by itself
  }
}
