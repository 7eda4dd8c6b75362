import { Command, InvalidArgumentError, Option } from 'commander';
import { addAccessCommands } from './access.commands.js';
import { addDriveCommands } from './drive/drive.commands.js';
import { version } from '../version.js';
import type { BackupFlags } from './backup.command.js';
import { readConfig, type ConfigFlags } from './config-flags.js';
import { rotateKeys, showKeys } from './keys.command.js';
import type { MigrateFlags } from './migrate.command.js';
import { withErrors } from './with-errors.js';

/** All commands of `dcloud`. */
export function createProgram(): Command {
  const program = new Command('dcloud').description('Self-hosted distributed cloud storage').version(version());
  program.commandsGroup('Server:');
  program
    .command('serve')
    .description('run the server')
    .option('--config <file>', 'configuration file (else DCLOUD_CONFIG, else the defaults)')
    .option('--port <number>', 'port to listen on; 0 lets the system choose', wholeNumber)
    .option('--node <number>', 'which of the configured peers this process is', wholeNumber)
    .action(
      withErrors(async (flags: ConfigFlags) => {
        const config = await readConfig(flags);
        // Loaded when it is needed: the server's modules take most of the time that any other command would take.
        const { serve } = await import('./serve.command.js');
        await serve(config);
      }),
    );

  const keys = program.command('keys').description('look after the key ring');
  keys
    .command('show')
    .description('list the keys by their ids; the keys themselves are not shown')
    .option('--config <file>', 'configuration file')
    .action(withErrors(async (flags: ConfigFlags) => showKeys(await readConfig(flags))));
  keys
    .command('rotate')
    .description('seal everything new with a new key; a running server wraps the old files anew in the background')
    .option('--config <file>', 'configuration file')
    .action(withErrors(async (flags: ConfigFlags) => rotateKeys(await readConfig(flags))));
  program
    .command('rebuild-index')
    .description('make the index anew from what the nodes keep; goes on where it was interrupted')
    .option('--config <file>', 'configuration file')
    .option('--node <number>', 'which of the configured peers this is: the one that holds the index', wholeNumber)
    .action(
      withErrors(async (flags: ConfigFlags) => {
        const { rebuildIndex } = await import('./recovery.command.js');
        await rebuildIndex(await readConfig(flags));
      }),
    );
  addBackup(program);
  program
    .command('takeover')
    .description('make another peer the one that holds the index, when that one is gone: rebuilds the index from the nodes')
    .requiredOption('--node <number>', 'the peer that takes over; its process must run', wholeNumber)
    .option('--config <file>', 'configuration file')
    .option('--force', 'also from one that still answers')
    .action(
      withErrors(async (flags: ConfigFlags & { readonly force?: boolean }) => {
        const { takeOver } = await import('./takeover.command.js');
        await takeOver(await readConfig(flags), flags);
      }),
    );
  program
    .command('verify')
    .description('read everything that is stored and say what is not as it should be; changes nothing')
    .option('--config <file>', 'configuration file')
    .option('--node <number>', 'which of the configured peers this is: the one that holds the index', wholeNumber)
    .option('--json', 'a JSON object for each problem, and one for the whole')
    .action(
      withErrors(async (flags: ConfigFlags & { readonly json?: boolean }) => {
        const { verifyStore } = await import('./recovery.command.js');
        await verifyStore(await readConfig(flags), flags);
      }),
    );
  addMetadata(program);
  addAudit(program);
  addAccessCommands(program);
  addDriveCommands(program);
  return program;
}

function addBackup(program: Command): void {
  program
    .command('backup')
    .description('write index and configuration, sealed, to a file; the server may run')
    .option('--to <file>', 'the file (else one named by the time, here)')
    .option('--replace', 'take the place of a file that is there')
    .option('--config <file>', 'configuration file')
    .option('--node <number>', 'in a cluster: the peer that holds the index', wholeNumber)
    .option('--url <url>', 'the server (else DCLOUD_URL, else that of the configuration); the token is in DCLOUD_TOKEN')
    .action(
      withErrors(async (flags: ConfigFlags & BackupFlags) => {
        const { backupStore } = await import('./backup.command.js');
        await backupStore(await readConfig(flags), flags);
      }),
    );
}

function addMetadata(program: Command): void {
  const engine = (flag: string, help: string): Option =>
    new Option(`${flag} <engine>`, help).choices(['embedded', 'postgres']).makeOptionMandatory();
  program
    .command('metadata')
    .description('look after where the index is')
    .command('migrate')
    .description(
      'move the index to another engine; the database is that of DCLOUD_METADATA_URL; goes on where it was interrupted',
    )
    .addOption(engine('--from', 'the engine in use'))
    .addOption(engine('--to', 'the other one'))
    .option('--config <file>', 'configuration file of the server, which may run')
    .option('--node <number>', 'which of the configured peers this is: the one that holds the index', wholeNumber)
    .option('--url <url>', 'the server, if it runs at another address than the configuration says; the token is in DCLOUD_TOKEN')
    .option('--json', 'the outcome as a JSON object')
    .action(
      withErrors(async (flags: MigrateFlags) => {
        const { migrateIndex } = await import('./migrate.command.js');
        await migrateIndex(flags);
      }),
    );
}

function addAudit(program: Command): void {
  program
    .command('audit')
    .description('look after the audit log')
    .command('verify')
    .description('prove that no line of it was changed, taken out or put in')
    .option('--config <file>', 'configuration file')
    .option('--node <number>', 'which of the configured peers this is', wholeNumber)
    .option('--expect <hash>', 'the hash of a line that must be there: lines cut off at the end are found by that alone')
    .action(
      withErrors(async (flags: ConfigFlags & { readonly expect?: string }) => {
        const { verifyAuditLog } = await import('./audit.command.js');
        await verifyAuditLog(await readConfig(flags), flags);
      }),
    );
}

function wholeNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
