import type { Rights } from './grant.js';
import type { NodeKind } from './drive-attributes.js';
import type { OnProgress } from './progress.js';
import type { RecoveryKit } from './recovery-kit.js';
import type { Source } from './source.js';

/** What every call takes: a signal that ends it. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** A file or a folder as its owner named it. Nothing of this is known to the server but the id, the kind and the owner. */
export interface Entry {
  readonly id: string;
  readonly name: string;
  readonly kind: NodeKind;
  /** Bytes; of a folder 0. */
  readonly size: number;
  /** Empty if it is not known, and of folders. */
  readonly mediaType: string;
  readonly createdAt: Date;
  readonly changedAt: Date;
  /** Of the content; of a folder 0. */
  readonly revision: number;
  /** By which it was found: `/a/b`, or `@name/b` for what somebody shared. */
  readonly path: string;
  /** The id of the account whose it is. */
  readonly owner: string;
}

export interface UploadOptions extends CallOptions {
  readonly mediaType?: string;
  /** When the content was changed last; absent: what the source says, else now. */
  readonly changedAt?: Date;
  readonly onProgress?: OnProgress;
  /** Where what is needed to go on after a break is kept. */
  readonly resume?: ResumeStore;
  /** False: fails with `exists` if there is a file of this name. True, which is the default: it gets a new revision. */
  readonly replace?: boolean;
}

export interface DownloadOptions extends CallOptions {
  readonly from?: number;
  readonly to?: number;
  readonly revision?: number;
  readonly onProgress?: OnProgress;
}

export interface Download {
  readonly entry: Entry;
  /** Of what comes, in bytes. */
  readonly size: number;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface RevisionEntry {
  readonly revision: number;
  readonly revisionId: string;
  readonly size: number;
  /** When the server says that it took it: of a revision's fields the only one that its writer did not sign. */
  readonly createdAt: Date;
  /** The id of the account that wrote it. */
  readonly writer: string;
}

export interface Sharing {
  readonly grants: readonly { readonly userName: string; readonly accountId: string; readonly rights: Rights }[];
  readonly links: readonly {
    readonly id: string;
    readonly createdAt: Date;
    readonly expiresAt: Date | undefined;
    readonly usesLeft: number | undefined;
    readonly hasPassword: boolean;
  }[];
}

export interface SharedEntry {
  /** Of the grant: for `accept`. */
  readonly id: string;
  /** The user name of who shares it. */
  readonly from: string;
  readonly entry: Entry;
  readonly rights: Rights;
}

export interface LinkOptions extends CallOptions {
  readonly password?: string;
  readonly expiresAt?: Date;
  readonly usesMax?: number;
}

/** Keeps the state of uploads on this device, sealed. `name` is made of letters, digits and dashes. */
export interface ResumeStore {
  get(name: string): Promise<Uint8Array | undefined>;
  set(name: string, bytes: Uint8Array): Promise<void>;
  delete(name: string): Promise<void>;
}

export interface Contact {
  readonly userName: string;
  readonly accountId: string;
  /** True if the safety numbers were compared, for the keys of now. */
  readonly isVerified: boolean;
}

export interface ContactCalls {
  list(options?: CallOptions): Promise<readonly Contact[]>;
  /** Sixty digits in twelve groups, which both compare in another way than through this server. @throws SdkError `identity-changed` */
  safetyNumber(userName: string, options?: CallOptions): Promise<string>;
  /** The numbers were compared and are the same. */
  verify(userName: string, options?: CallOptions): Promise<void>;
}

export interface SessionEntry {
  readonly id: string;
  readonly isOwn: boolean;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** Undefined: not since the server started. */
  readonly usedAt: Date | undefined;
}

/** The account and its keys. Each change but that of the identity asks for the password, and ends all other sessions. */
export interface AccountCalls {
  readonly account: { readonly id: string; readonly userName: string };
  readonly contacts: ContactCalls;
  sessions(options?: CallOptions): Promise<readonly SessionEntry[]>;
  endSession(id: string, options?: CallOptions): Promise<void>;
  /** Ends the session, and forgets on this device what it knew of the account. */
  logout(options?: CallOptions): Promise<void>;
  /** Writes what this device has to remember; to be called in the end. */
  close(): Promise<void>;
  /** What a recovery kit says, with the code that the user has. @throws SdkError `invalid-recovery-code` if nobody has one like it */
  recoveryKit(recoveryCode: string): Promise<RecoveryKit>;
  changePassword(change: { readonly password: string; readonly newPassword: string }, options?: CallOptions): Promise<void>;
  /** The old code opens nothing any more. @returns the new one, which is shown once */
  changeRecoveryCode(change: { readonly password: string }, options?: CallOptions): Promise<string>;
  /** New keys for others; what was shared is granted anew. Contacts see that the safety number is another one. */
  changeIdentity(options?: CallOptions): Promise<void>;
  /** New keys for everything, after somebody may have got hold of the old ones; the identity is changed with it. @returns the new recovery code */
  changeMasterKey(
    change: { readonly password: string; readonly newPassword?: string },
    options?: CallOptions,
  ): Promise<{ readonly recoveryCode: string }>;
}

export interface TreeCalls {
  stat(path: string, options?: CallOptions): Promise<Entry>;
  list(path: string, options?: CallOptions): AsyncIterable<Entry>;
  mkdir(path: string, options?: CallOptions & { readonly parents?: boolean }): Promise<Entry>;
  rename(path: string, newName: string, options?: CallOptions): Promise<Entry>;
  move(path: string, intoFolder: string, options?: CallOptions): Promise<Entry>;
  remove(path: string, options?: CallOptions): Promise<void>;
}

export interface ContentCalls {
  upload(path: string, source: Source, options?: UploadOptions): Promise<Entry>;
  download(path: string, options?: DownloadOptions): Promise<Download>;
  history(path: string, options?: CallOptions): AsyncIterable<RevisionEntry>;
  restore(path: string, revision: number, options?: CallOptions): Promise<Entry>;
}

export interface SharingCalls {
  share(path: string, userName: string, rights: Rights, options?: CallOptions): Promise<void>;
  unshare(path: string, userName: string, options?: CallOptions): Promise<void>;
  sharing(path: string, options?: CallOptions): Promise<Sharing>;
  shared(options?: CallOptions): AsyncIterable<SharedEntry>;
  /** @returns the path under which it is from now on: `@name`, with a number behind it if the name is taken */
  accept(id: string, options?: CallOptions & { readonly name?: string }): Promise<string>;
  /** Takes `@name` out of the tree again. It can be accepted anew as long as it is shared. */
  leave(path: string, options?: CallOptions): Promise<void>;
  link(path: string, options?: LinkOptions): Promise<{ readonly id: string; readonly url: string }>;
  /** @throws SdkError `link-over` if there is no such link (any more); `invalid-id` */
  unlink(id: string, options?: CallOptions): Promise<void>;
}

export type Drive = AccountCalls & TreeCalls & ContentCalls & SharingCalls;

/** What a link shows: paths begin at the linked node, which is `/`. */
export type LinkView = Pick<TreeCalls, 'stat' | 'list'> & Pick<ContentCalls, 'download'> & { readonly entry: Entry };

export interface DriveServer {
  /** @returns also the recovery code, which is shown once */
  register(
    registration: { readonly userName: string; readonly password: string; readonly invitation?: string },
    options?: CallOptions,
  ): Promise<{ readonly drive: Drive; readonly recoveryCode: string }>;
  /** @throws SdkError `wrong-key`, `server-changed`, `too-many-attempts` */
  login(login: { readonly userName: string; readonly password: string }, options?: CallOptions): Promise<Drive>;
  /** @returns also the next recovery code: the one that was used opens nothing any more */
  recover(
    recovery: { readonly userName: string; readonly recoveryCode: string; readonly newPassword: string },
    options?: CallOptions,
  ): Promise<{ readonly drive: Drive; readonly recoveryCode: string }>;
  /** The drive by what this device keeps; undefined if it keeps nothing. @throws SdkError `session-over` */
  resume(options?: CallOptions): Promise<Drive | undefined>;
  /** Needs no account. @throws SdkError `link-over`, `wrong-key` without the right password */
  openLink(url: string, options?: CallOptions & { readonly password?: string }): Promise<LinkView>;
}
