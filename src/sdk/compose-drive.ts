import type { AccountCalls, ContentCalls, Drive, SharingCalls, TreeCalls } from './drive-api.js';
import type { AfterIdentityChange } from './drive-account.js';
import { DriveCalls } from './drive-calls.js';
import { DriveContent } from './drive-content.js';
import { DriveLinks } from './drive-links.js';
import { parsePath } from './drive-path.js';
import type { DriveSession } from './drive-session.js';
import { DriveSharing } from './drive-sharing.js';
import { DriveTree } from './drive-tree.js';
import { SdkError } from './errors.js';
import type { NodeFinder } from './node-finder.js';
import { NodeOpener } from './open-node.js';
import { sessionContext } from './session-context.js';
import { SharedWithMe } from './shared-with-me.js';

/** The parts of a drive, each a class of its own on the session. */
export interface DriveParts {
  readonly account: AccountCalls;
  readonly tree: TreeCalls;
  readonly content: ContentCalls;
  readonly sharing: SharingCalls;
}

/** The one place that knows all parts but the account, which is made with what has to be granted anew after a change of its keys. */
export function partsOf(session: DriveSession): Omit<DriveParts, 'account'> & { readonly regrant: AfterIdentityChange } {
  const received = new SharedWithMe(session, new NodeOpener(new DriveCalls(session.transport), session.seen));
  const context = sessionContext(session, { top: (name, signal) => received.mounted(name, signal) });
  const tree = new DriveTree(context);
  const sharing = new DriveSharing(session, tree);
  const links = new DriveLinks(session, tree);
  return {
    tree,
    content: new DriveContent(context),
    sharing: sharingOf({ sharing, links, received, finder: context.finder }),
    // What was opened before knows only the keys of before.
    regrant: (signal) => sharing.grantAnew(signal).finally(() => context.finder.forget()),
  };
}

interface SharingParts {
  readonly sharing: DriveSharing;
  readonly links: DriveLinks;
  readonly received: SharedWithMe;
  readonly finder: NodeFinder;
}

function sharingOf({ sharing, links, received, finder }: SharingParts): SharingCalls {
  return {
    share: (...args) => sharing.share(...args),
    // What was opened before has other keys now.
    unshare: (...args) => sharing.unshare(...args).finally(() => finder.forget()),
    sharing: (...args) => sharing.sharing(...args),
    shared: (options) => received.shared(options),
    accept: (...args) => received.accept(...args),
    leave: (path, options) => received.leave(mountOf(path), options).finally(() => finder.forget()),
    link: (...args) => links.link(...args),
    unlink: (...args) => links.unlink(...args),
  };
}

/** `@name` alone. @throws SdkError `invalid-name` */
function mountOf(path: string): string {
  const { mount, names } = parsePath(path);
  if (mount === undefined || names.length > 0) throw new SdkError('invalid-name');
  return mount;
}

/** One object of all calls, and of nothing else: what a part knows is not shown by printing a drive. */
export function composeDrive({ account, tree, content, sharing }: DriveParts): Drive {
  return { ...accountCalls(account), ...treeCalls(tree), ...contentCalls(content), ...sharingCalls(sharing) };
}

function accountCalls(part: AccountCalls): AccountCalls {
  const { account, contacts } = part;
  return {
    account: { id: account.id, userName: account.userName },
    contacts: {
      list: (options) => contacts.list(options),
      safetyNumber: (userName, options) => contacts.safetyNumber(userName, options),
      verify: (userName, options) => contacts.verify(userName, options),
    },
    sessions: (options) => part.sessions(options),
    endSession: (id, options) => part.endSession(id, options),
    logout: (options) => part.logout(options),
    close: () => part.close(),
    recoveryKit: (recoveryCode) => part.recoveryKit(recoveryCode),
    changePassword: (change, options) => part.changePassword(change, options),
    changeRecoveryCode: (change, options) => part.changeRecoveryCode(change, options),
    changeIdentity: (options) => part.changeIdentity(options),
    changeMasterKey: (change, options) => part.changeMasterKey(change, options),
  };
}

function treeCalls(part: TreeCalls): TreeCalls {
  return {
    stat: (path, options) => part.stat(path, options),
    list: (path, options) => part.list(path, options),
    mkdir: (path, options) => part.mkdir(path, options),
    rename: (path, newName, options) => part.rename(path, newName, options),
    move: (path, intoFolder, options) => part.move(path, intoFolder, options),
    remove: (path, options) => part.remove(path, options),
  };
}

function contentCalls(part: ContentCalls): ContentCalls {
  return {
    upload: (path, source, options) => part.upload(path, source, options),
    download: (path, options) => part.download(path, options),
    history: (path, options) => part.history(path, options),
    restore: (path, revision, options) => part.restore(path, revision, options),
  };
}

function sharingCalls(part: SharingCalls): SharingCalls {
  return {
    share: (path, userName, rights, options) => part.share(path, userName, rights, options),
    unshare: (path, userName, options) => part.unshare(path, userName, options),
    sharing: (path, options) => part.sharing(path, options),
    shared: (options) => part.shared(options),
    accept: (id, options) => part.accept(id, options),
    leave: (path, options) => part.leave(path, options),
    link: (path, options) => part.link(path, options),
    unlink: (id, options) => part.unlink(id, options),
  };
}
