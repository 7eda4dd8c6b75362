import type { Sharing } from '../../sdk/drive-api.js';
import { SdkError } from '../../sdk/errors.js';
import { CliError } from './cli-error.js';
import type { CommonFlags, Context } from './context.js';
import { fetchAll, type GetFlags } from './get.command.js';
import { listFrom, localTime, type LsFlags } from './ls.command.js';
import { entriesOf, remotePath } from './remote-path.js';
import { about, SubjectError } from './subject-error.js';
import { aligned } from './visible.js';

/** `dcloud share` */
export async function share(
  context: Context,
  text: string,
  userName: string,
  flags: CommonFlags & { readonly write?: boolean },
): Promise<void> {
  const path = remotePath(text);
  const rights = flags.write === true ? 'write' : 'read';
  await (await context.drive()).share(path, userName, rights, { signal: context.signal });
  context.output.json({ path, userName, rights });
  context.output.note(
    `${userName} may ${rights === 'write' ? 'read and write' : 'read'} ${path}, and finds it by: dcloud shared`,
  );
}

/** `dcloud unshare` */
export async function unshare(context: Context, text: string, userName: string): Promise<void> {
  const path = remotePath(text);
  await (await context.drive()).unshare(path, userName, { signal: context.signal });
  context.output.json({ path, userName, state: 'ended' });
  context.output.note(`${userName} reads nothing of ${path} any more that is written from now on`);
}

/** `dcloud shared`: what others share, or with whom something of one's own is. */
export async function shared(context: Context, text: string | undefined): Promise<void> {
  const { output, signal } = context;
  const drive = await context.drive();
  if (text !== undefined) {
    tellSharing(context, await about(text, () => drive.sharing(remotePath(text), { signal })));
    return;
  }
  const rows: string[][] = [];
  for await (const { id, from, entry, rights } of drive.shared({ signal })) {
    output.json({ id, from, rights, name: entry.name, kind: entry.kind, size: entry.size, path: entry.path });
    rows.push([id, output.shown(from), rights, `${output.shown(entry.name)}${entry.kind === 'folder' ? '/' : ''}`]);
  }
  output.print(aligned(rows));
}

function tellSharing({ output }: Context, { grants, links }: Sharing): void {
  output.json({ grants, links });
  const grantRows = grants.map(({ userName, rights }) => [output.shown(userName), rights]);
  const linkRows = links.map(({ id, expiresAt, usesLeft, hasPassword }) => {
    const ends = expiresAt === undefined ? 'never ends' : `ends ${localTime(expiresAt)}`;
    return [
      `link ${id}`,
      ends,
      usesLeft === undefined ? 'any number of uses' : `${usesLeft} uses left`,
      hasPassword ? 'password' : '',
    ];
  });
  output.print(aligned(grantRows) + aligned(linkRows));
}

/** `dcloud accept` */
export async function accept(context: Context, id: string): Promise<void> {
  const path = await (await context.drive()).accept(id, { signal: context.signal });
  context.output.json({ id, path });
  context.output.print(`${context.output.shown(path)}\n`);
}

export interface LinkFlags extends CommonFlags {
  readonly password?: boolean;
  /** Milliseconds from now. */
  readonly expires?: number;
  readonly uses?: number;
}

/** `dcloud link`: the address is printed this once, and nothing else on standard output. */
export async function makeLink(context: Context, text: string, flags: LinkFlags): Promise<void> {
  const { output, secrets, signal } = context;
  const drive = await context.drive();
  const password = flags.password === true ? await secrets.askNew('Password of the link', signal) : undefined;
  const expiresAt = flags.expires === undefined ? undefined : new Date(Date.now() + flags.expires);
  const options = {
    ...(password !== undefined && { password }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(flags.uses !== undefined && { usesMax: flags.uses }),
    signal,
  };
  const { id, url } = await drive.link(remotePath(text), options).catch((error: unknown) => {
    const isTimeRefused = expiresAt !== undefined && error instanceof SdkError && error.kind === 'server-refused';
    if (!isTimeRefused) throw new SubjectError(text, error);
    const told = `by the clock of the server ${localTime(expiresAt)} is over: look at the clock of this machine`;
    throw new CliError('usage', told, { cause: error });
  });
  output.json({ id, url, ...(expiresAt !== undefined && { expiresAt }) });
  output.note(
    `Whoever has this address${password === undefined ? '' : ' and the password'} can read it. It is shown this once; dcloud unlink ${id} ends it.`,
  );
  output.print(`${url}\n`);
}

/** `dcloud unlink` */
export async function unlink(context: Context, id: string): Promise<void> {
  await (await context.drive()).unlink(id, { signal: context.signal });
  context.output.json({ id, state: 'ended' });
}

export interface OpenFlags extends GetFlags, Omit<LsFlags, 'recursive'> {
  readonly password?: boolean;
  readonly path?: string;
  readonly to?: string;
}

/** `dcloud open`: shows what a link leads to, or fetches it. Needs no account. */
export async function openLink(context: Context, given: string | undefined, flags: OpenFlags): Promise<void> {
  const { secrets, signal } = context;
  // Everybody on the machine can read the arguments of a process, so what is secret in them goes at once.
  if (given !== undefined) process.title = 'dcloud open';
  const url = (given ?? (await secrets.ask('Link', signal))).trim();
  const password = flags.password === true ? await secrets.ask('Password of the link', signal) : undefined;
  if (!URL.canParse(url)) throw new CliError('wrong-secret', 'this is not a link to a shared file or folder');
  const server = await context.server(new URL(url).origin);
  const view = await server.openLink(url, { ...(password !== undefined && { password }), signal });
  const path = remotePath(flags.path ?? '/');
  if (flags.to === undefined) {
    await listFrom(context, view, [path], flags);
    return;
  }
  const found = await entriesOf(view, [path], signal);
  await fetchAll(context, view, { found, target: flags.to, flags, words: ['open', process.cwd(), url, path, flags.to] });
}
