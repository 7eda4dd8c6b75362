/** What the exit code of a command says. Scripts depend on them: none is ever given another meaning. */
export const EXIT_CODES = {
  ok: [0, 'all was done'],
  failure: [1, 'it failed for another reason than those below, or several things failed for different ones'],
  usage: [2, 'the command line, a name or an address cannot be understood'],
  'not-found': [3, 'there is nothing of this name, or not for you; or a link or a user that is not there (any more)'],
  conflict: [4, 'there is something of this name already, or it was changed meanwhile, or is not of the kind that is needed'],
  'wrong-secret': [5, 'the password, recovery code or link is not the right one'],
  'not-allowed': [6, 'this is not allowed, or the session is over: log in again'],
  damaged: [
    7,
    'something was changed or damaged, or the server or a person is not the one that you knew: nothing of it was used',
  ],
  full: [8, 'there is no room left: the quota of the account, the server, or the local disk'],
  unreachable: [9, 'the server cannot be reached or cannot do this now: try again later'],
  interrupted: [130, 'it was interrupted (Ctrl-C)'],
  'pipe-closed': [141, 'who read the output stopped reading'],
} as const satisfies Record<string, readonly [number, string]>;

export type Exit = keyof typeof EXIT_CODES;

export function exitCode(exit: Exit): number {
  return EXIT_CODES[exit][0];
}

/** The text of `dcloud help exit-codes`. */
export function exitCodesHelp(): string {
  const lines = Object.values(EXIT_CODES).map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}\n`);
  return `Exit codes of the commands that work with a drive:\n\n${lines.join('')}`;
}
