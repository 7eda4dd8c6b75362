import type { Command } from 'commander';
import type { VerifyFlags } from './account.commands.js';
import type { CommonFlags } from './context.js';
import { driveCommand, groupCommand, secretCommand } from './drive-command.js';
import type { KitFlags } from './kit.commands.js';
import type { LoginFlags, RegisterFlags } from './login.commands.js';
import { collected } from './option-values.js';
import { run } from './run.js';

const SERVER = ['--server <url>', 'the server (else that of the profile, else DCLOUD_URL, else http://127.0.0.1:5000)'] as const;

// What does the work is loaded when it is needed, as all of it takes longer than most commands.
const logins = () => import('./login.commands.js');
const accounts = () => import('./account.commands.js');
const kits = () => import('./kit.commands.js');

/** Who one is, and one's keys. */
export function addAccountCommands(program: Command): void {
  addLogins(program);
  addKeys(program);
  addOthers(program);
}

function addLogins(program: Command): void {
  secretCommand(
    program,
    'register [user]',
    'make an account, whose password and keys the server never sees; prints the recovery code',
  )
    .option(...SERVER)
    .option('--invitation-file <file>', 'the invitation that the server asks for')
    .action((user: string | undefined, flags: RegisterFlags) =>
      run(flags, async (context) => (await logins()).register(context, user, flags)),
    );
  secretCommand(program, 'login [user]', 'log in on this machine')
    .option(...SERVER)
    .action((user: string | undefined, flags: LoginFlags) =>
      run(flags, async (context) => (await logins()).login(context, user, flags)),
    );
  driveCommand(program, 'logout', 'end the session and forget the keys on this machine').action((flags: CommonFlags) =>
    run(flags, async (context) => (await logins()).logout(context)),
  );
  driveCommand(program, 'whoami', 'say who is logged in, and where').action((flags: CommonFlags) =>
    run(flags, async (context) => (await logins()).whoami(context)),
  );
  secretCommand(program, 'recover [user]', 'set a new password by the recovery code; prints the next code')
    .option(...SERVER)
    .action((user: string | undefined, flags: LoginFlags) =>
      run(flags, async (context) => (await logins()).recover(context, user, flags)),
    );
}

function addKeys(program: Command): void {
  secretCommand(program, 'password', 'change the password').action((flags: CommonFlags) =>
    run(flags, async (context) => (await accounts()).changePassword(context)),
  );
  const rekey = groupCommand(program, 'rekey', 'change keys; files stay readable, and no content is uploaded again');
  secretCommand(rekey, 'code', 'another recovery code; prints it').action((flags: CommonFlags) =>
    run(flags, async (context) => (await accounts()).changeCode(context)),
  );
  driveCommand(rekey, 'identity', 'other keys for what others share with you').action((flags: CommonFlags) =>
    run(flags, async (context) => (await accounts()).changeIdentity(context)),
  );
  secretCommand(
    rekey,
    'all',
    'all keys, the password and the recovery code, after somebody may have got hold of them; prints the code',
  ).action((flags: CommonFlags) => run(flags, async (context) => (await accounts()).changeMasterKey(context)));
  const kit = groupCommand(program, 'kit', 'the recovery kit: a sealed file with all that is needed to get back in');
  secretCommand(kit, 'export <file>', 'write it, sealed in the age format by a passphrase or for keys of age')
    .option('--recipient <key>', 'a public key of age (age1…), again for more of them; else a passphrase is asked for', collected)
    .option('--new-code', 'with another recovery code, made for it; else you type the one that you have')
    .option('--replace', 'take the place of a file that is there')
    .action((file: string, flags: KitFlags) => run(flags, async (context) => (await kits()).exportKit(context, file, flags)));
  secretCommand(kit, 'show <file>', 'open one and print it; `age --decrypt` does so, too')
    .option('--identity <file>', 'file with the private key of age; else a passphrase is asked for')
    .action((file: string, flags: CommonFlags & { readonly identity?: string }) =>
      run(flags, async (context) => (await kits()).showKit(context, file, flags)),
    );
}

function addOthers(program: Command): void {
  const contacts = groupCommand(program, 'contacts', 'those whose keys you know');
  driveCommand(contacts, 'list', 'list them').action((flags: CommonFlags) =>
    run(flags, async (context) => (await accounts()).listContacts(context)),
  );
  driveCommand(contacts, 'verify <user>', 'compare the safety number, by which you both see that nobody is in between')
    .option('--number <number>', 'the number as the other side has it; without it yours is shown')
    .action((user: string, flags: VerifyFlags) =>
      run(flags, async (context) => (await accounts()).verifyContact(context, user, flags)),
    );
  const sessions = groupCommand(program, 'sessions', 'where you are logged in');
  driveCommand(sessions, 'list', 'list the sessions').action((flags: CommonFlags) =>
    run(flags, async (context) => (await accounts()).listSessions(context)),
  );
  driveCommand(sessions, 'end <id>', 'end one').action((id: string, flags: CommonFlags) =>
    run(flags, async (context) => (await accounts()).endSession(context, id)),
  );
}
