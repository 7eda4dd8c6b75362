import type { Command } from 'commander';
import { addAccountCommands } from './account.wiring.js';
import { addSharingCommands } from './sharing.wiring.js';
import { addTreeCommands } from './tree.wiring.js';
import { completionScript, SHELLS } from './completion.js';
import { CliError } from './cli-error.js';
import { exitCodesHelp } from './exit-codes.js';
import { run } from './run.js';
import { driveCommand } from './drive-command.js';

/** The commands for people who have a drive: what they store is sealed on this machine. */
export function addDriveCommands(program: Command): void {
  program.commandsGroup('Account:');
  addAccountCommands(program);
  program.commandsGroup('Files and folders, sealed on this machine:');
  addTreeCommands(program);
  program.commandsGroup('Sharing:');
  addSharingCommands(program);
  program.commandsGroup('More:');
  driveCommand(program, 'completion <shell>', `print what completes commands in a shell: ${SHELLS.join(', ')}`).action(
    (shell: string) =>
      run({}, (context) => {
        const script = completionScript(shell, program);
        if (script === undefined)
          throw new CliError('usage', `there is no completion for ${shell}, but for ${SHELLS.join(', ')}`);
        context.output.print(script);
        return Promise.resolve();
      }),
  );
  addHelp(program);
}

/** `dcloud help exit-codes`, beside `dcloud help COMMAND`. */
function addHelp(program: Command): void {
  program.helpCommand(false);
  program
    .command('help [command] [subcommand]')
    .description('help for a command; exit-codes: what the exit codes say')
    .action((word: string | undefined, below: string | undefined) => {
      if (word === 'exit-codes') {
        process.stdout.write(exitCodesHelp());
        return;
      }
      let shown = program;
      for (const name of [word, below].filter((each) => each !== undefined)) {
        const command = shown.commands.find((each) => each.name() === name);
        shown = command ?? program.error(`error: unknown command '${name}'`);
      }
      shown.outputHelp();
    });
}
