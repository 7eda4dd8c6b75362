import type { Command } from 'commander';
import { type ConfigFlags, readConfig } from '../config-flags.js';
import { withErrors } from '../with-errors.js';
import type { CommonFlags } from './context.js';
import { driveCommand } from './drive-command.js';
import { positive } from './option-values.js';
import { run } from './run.js';

interface RestoreFlags extends CommonFlags, ConfigFlags {
  readonly revision?: number;
  readonly from?: string;
  readonly fromNodes?: boolean;
}

/** One word for two things that are there again: a revision of a file of a drive, and the index of a server. */
export function addRestore(program: Command): void {
  const command = driveCommand(
    program,
    'restore [path]',
    'make an older revision the newest, without uploading anything; or, on the machine of a server, its index anew from a backup',
  );
  command
    .option('--revision <number>', 'which revision of PATH', positive)
    .option('--from <file>', 'the server: from this backup, and from the nodes what is newer')
    .option('--from-nodes', 'the server: from the newest backup on the nodes')
    .option('--config <file>', 'the server: its configuration file')
    .option('--node <number>', 'the server: which of the configured peers this is, the one that holds the index', positive)
    .action((path: string | undefined, flags: RestoreFlags) => {
      const { revision, from, fromNodes } = flags;
      const isOfServer = from !== undefined || fromNodes === true;
      if (path !== undefined && revision !== undefined && !isOfServer)
        return run(flags, async (context) => (await import('./tree.commands.js')).restore(context, path, revision));
      if (path === undefined && revision === undefined && isOfServer && (from === undefined || fromNodes === undefined))
        return restoreServer(flags);
      return command.error('error: it takes PATH and --revision, or --from FILE, or --from-nodes');
    });
}

const restoreServer = withErrors(async (flags: RestoreFlags) => {
  const { restoreStore } = await import('../restore.command.js');
  await restoreStore(await readConfig(flags), flags);
});
