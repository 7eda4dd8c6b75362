import type { Command } from 'commander';
import type { CommonFlags } from './context.js';
import { driveCommand, secretCommand } from './drive-command.js';
import { duration, positive } from './option-values.js';
import { run } from './run.js';
import type { LinkFlags, OpenFlags } from './sharing.commands.js';

// What does the work is loaded when it is needed.
const sharing = () => import('./sharing.commands.js');

/** With users, and by links. */
export function addSharingCommands(program: Command): void {
  addUsers(program);
  addLinks(program);
}

function addUsers(program: Command): void {
  driveCommand(program, 'share <path> <user>', 'let a user read a file or folder')
    .option('--write', 'and write it')
    .action((path: string, user: string, flags: CommonFlags & { readonly write?: boolean }) =>
      run(flags, async (context) => (await sharing()).share(context, path, user, flags)),
    );
  driveCommand(program, 'unshare <path> <user>', 'take that back: what is written from then on the user cannot read').action(
    (path: string, user: string, flags: CommonFlags) =>
      run(flags, async (context) => (await sharing()).unshare(context, path, user)),
  );
  driveCommand(
    program,
    'shared [path]',
    'list what others share with you; of a path: with whom you share it, and its links',
  ).action((path: string | undefined, flags: CommonFlags) =>
    run(flags, async (context) => (await sharing()).shared(context, path)),
  );
  driveCommand(program, 'accept <id>', 'take what somebody shares; prints its path, which begins with @').action(
    (id: string, flags: CommonFlags) => run(flags, async (context) => (await sharing()).accept(context, id)),
  );
}

function addLinks(program: Command): void {
  secretCommand(program, 'link <path>', 'make an address by which anybody can read a file or folder; prints it this once')
    .option('--password', 'which is asked for; whoever opens the link needs it, too')
    .option('--expires <time>', 'when it ends, like 12h or 30d (default: never)', duration)
    .option('--uses <number>', 'how often it can be opened', positive)
    .action((path: string, flags: LinkFlags) => run(flags, async (context) => (await sharing()).makeLink(context, path, flags)));
  driveCommand(program, 'unlink <id>', 'end a link').action((id: string, flags: CommonFlags) =>
    run(flags, async (context) => (await sharing()).unlink(context, id)),
  );
  secretCommand(
    program,
    'open [link]',
    'list what a link leads to, or fetch it; without one it is asked for, and stays out of the history of the shell',
  )
    .option('--password', 'ask for the password of the link')
    .option('--path <path>', 'something in the folder that it leads to')
    .option('--to <place>', 'fetch it to there; - is standard output')
    .option('-r, --recursive', 'folders with everything in them')
    .option('--replace', 'take the place of local files that are there')
    .option('--update', 'as --replace, but only if size or time of change are others')
    .option('--range <a-b>', 'a part of one file: 0-99, 100- or -100')
    .option('-l, --long', 'list with sizes and times')
    .option('-b, --bytes', 'sizes in bytes')
    .action((link: string | undefined, flags: OpenFlags) =>
      run(flags, async (context) => (await sharing()).openLink(context, link, flags)),
    );
}
