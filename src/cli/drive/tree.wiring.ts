import type { Command } from 'commander';
import type { CommonFlags } from './context.js';
import { driveCommand, secretCommand } from './drive-command.js';
import type { ExportFlags } from './export.command.js';
import type { GetFlags } from './get.command.js';
import type { LsFlags } from './ls.command.js';
import { collected, positive } from './option-values.js';
import type { PutFlags } from './put.command.js';
import { addRestore } from './restore.wiring.js';
import { run } from './run.js';

// What does the work is loaded when it is needed.
const trees = () => import('./tree.commands.js');

/** Files and folders. */
export function addTreeCommands(program: Command): void {
  addTransfers(program);
  addTree(program);
  addRevisions(program);
}

function addTransfers(program: Command): void {
  driveCommand(program, 'put <places...>', 'store files: FILE… /FOLDER/, or FILE /NAME; - is standard input')
    .option('-r, --recursive', 'folders with everything in them')
    .option('--replace', 'files that are there get a new revision; else they are refused')
    .option('--update', 'as --replace, but only if size or time of change are others')
    .option('-p, --parents', 'make the target folder if it is not there')
    .option('-L, --follow', 'take what symbolic links point to; else they are left out')
    .option('--name <name>', 'of what comes from standard input')
    .action((places: readonly string[], flags: PutFlags) =>
      run(flags, async (context) => (await import('./put.command.js')).put(context, places, flags)),
    );
  driveCommand(program, 'get <places...>', 'fetch files: /FILE… FOLDER, or /FILE NAME; - is standard output')
    .option('-r, --recursive', 'folders with everything in them')
    .option('--replace', 'take the place of local files that are there; else they are left as they are')
    .option('--update', 'as --replace, but only if size or time of change are others')
    .option('--revision <number>', 'as it was in that revision', positive)
    .option('--range <a-b>', 'a part of one file: 0-99, 100- or -100')
    .action((places: readonly string[], flags: GetFlags) =>
      run(flags, async (context) => (await import('./get.command.js')).get(context, places, flags)),
    );
  secretCommand(
    program,
    'export <path> <file>',
    'write a file or folder as a tar archive, which opens without us; - is standard output',
  )
    .option('--seal', 'sealed in the age format, by a passphrase')
    .option('--recipient <key>', 'sealed for a public key of age (age1…); again for more of them', collected)
    .option('--replace', 'take the place of a file that is there')
    .action((path: string, file: string, flags: ExportFlags) =>
      run(flags, async (context) => (await import('./export.command.js')).exportFiles(context, path, file, flags)),
    );
}

function addTree(program: Command): void {
  driveCommand(program, 'ls [paths...]', 'list folders')
    .option('-l, --long', 'with sizes and times')
    .option('-b, --bytes', 'sizes in bytes')
    .option('-r, --recursive', 'with everything in them')
    .action((paths: readonly string[], flags: LsFlags) =>
      run(flags, async (context) => (await import('./ls.command.js')).list(context, paths, flags)),
    );
  driveCommand(program, 'mkdir <paths...>', 'make folders')
    .option('-p, --parents', 'those above them too; and be content if they are there')
    .action((paths: readonly string[], flags: CommonFlags & { readonly parents?: boolean }) =>
      run(flags, async (context) => (await trees()).makeFolders(context, paths, flags)),
    );
  driveCommand(program, 'rm <paths...>', 'remove files')
    .option('-r, --recursive', 'folders with everything in them')
    .action((paths: readonly string[], flags: CommonFlags & { readonly recursive?: boolean }) =>
      run(flags, async (context) => (await trees()).remove(context, paths, flags)),
    );
  driveCommand(program, 'mv <source> <places...>', 'rename, or move into a folder: SOURCE… TARGET').action(
    (source: string, places: readonly string[], flags: CommonFlags) =>
      run(flags, async (context) => (await trees()).move(context, [source, ...places])),
  );
}

function addRevisions(program: Command): void {
  driveCommand(program, 'history <path>', 'list the revisions of a file, newest first').action(
    (path: string, flags: CommonFlags) => run(flags, async (context) => (await trees()).history(context, path)),
  );
  addRestore(program);
}
