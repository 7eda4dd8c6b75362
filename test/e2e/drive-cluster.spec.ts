import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from '../../src/sdk/connect.js';
import type { Drive, DriveServer, Entry } from '../../src/sdk/drive-api.js';
import { nodeFloe } from '../../src/sdk/node-floe-back-end.js';
import { sourceOfBytes } from '../../src/sdk/source.js';
import { argon2idHash } from '../../src/sdk/argon2id.js';
import { initAdmin } from '../support/accounts.js';
import { PeerCluster } from '../support/peer-cluster.js';

const MiB = 1024 * 1024;
const PASSWORD = 'correct horse battery staple';

let cluster: PeerCluster;

/** A device: it keeps what it knows to itself, and speaks to one peer. */
function device(peer: number): Promise<DriveServer> {
  return connect(cluster.url(peer), { floe: nodeFloe, passwordHash: argon2idHash });
}

async function contentOf(drive: Pick<Drive, 'download'>, path: string): Promise<Buffer> {
  const { body, size } = await drive.download(path);
  const whole = Buffer.concat(await Array.fromAsync(body));
  expect(whole).toHaveLength(size);
  return whole;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const names = async (entries: AsyncIterable<Entry>): Promise<string[]> =>
  (await Array.fromAsync(entries)).map(({ name }) => name).toSorted();
const kindOf = async (work: Promise<unknown>): Promise<unknown> => {
  const [result] = await Promise.allSettled([work]);
  return result.status === 'fulfilled' ? 'none' : (result.reason as { kind?: unknown }).kind;
};

beforeAll(async () => {
  cluster = await PeerCluster.start({ nodes: 4, redundancy: 1, config: { registration: 'open', repair_after: 600 } });
  await initAdmin(cluster.url(1), cluster.storage(1));
});

afterAll(() => cluster.remove());

describe('two accounts with three devices on four peers, of which one dies', () => {
  it('share, edit, unshare, link and recover', async () => {
    const { drive: ada, recoveryCode } = await (await device(1)).register({ userName: 'ada', password: PASSWORD });
    const { drive: bob } = await (await device(2)).register({ userName: 'bob', password: PASSWORD });
    const tablet = await (await device(3)).login({ userName: 'ada', password: PASSWORD });

    // A folder that is shared for writing, seen and changed by all three.
    const film = randomBytes(40 * MiB);
    await ada.mkdir('/plans/2026', { parents: true });
    await ada.upload('/plans/film.bin', sourceOfBytes(film));
    await ada.upload('/plans/2026/notes.txt', sourceOfBytes(Buffer.from('first')));
    await ada.share('/plans', 'bob', 'write');
    const [shared] = await Array.fromAsync(bob.shared());
    const plans = await bob.accept(shared!.id);
    expect(await names(bob.list(plans))).toEqual(['2026', 'film.bin']);
    await bob.upload(`${plans}/2026/notes.txt`, sourceOfBytes(Buffer.from('second, by bob')));
    expect((await contentOf(tablet, '/plans/2026/notes.txt')).toString()).toBe('second, by bob');

    // One peer dies in the middle of an upload and a download.
    const song = randomBytes(48 * MiB);
    const going = tablet.upload('/plans/song.bin', sourceOfBytes(song));
    const coming = contentOf(bob, `${plans}/film.bin`);
    await cluster.kill(4);
    await going;
    expect(sha256(await coming)).toBe(sha256(film));
    expect(sha256(await contentOf(bob, `${plans}/song.bin`))).toBe(sha256(song));
    await tablet.upload('/plans/2026/notes.txt', sourceOfBytes(Buffer.from('third, by the tablet')));
    expect((await contentOf(ada, '/plans/2026/notes.txt')).toString()).toBe('third, by the tablet');
    const history = await Array.fromAsync(ada.history('/plans/2026/notes.txt'));
    expect(history.map(({ revision }) => revision)).toEqual([3, 2, 1]);

    // A link for who has no account, and then nobody but the owner any more.
    const { url } = await ada.link('/plans/2026', { password: 'shown twice', usesMax: 2 });
    const view = await (await device(2)).openLink(url.replace(/^https?:\/\/[^/]+/, cluster.url(2)), { password: 'shown twice' });
    expect(await names(view.list('/'))).toEqual(['notes.txt']);
    expect((await contentOf(view, '/notes.txt')).toString()).toBe('third, by the tablet');
    await ada.unshare('/plans', 'bob');
    expect(await kindOf(contentOf(bob, `${plans}/film.bin`))).toBe('not-found');
    await ada.upload('/plans/2026/notes.txt', sourceOfBytes(Buffer.from('fourth, without bob')));
    expect(await kindOf(bob.upload(`${plans}/2026/notes.txt`, sourceOfBytes(Buffer.from('by bob'))))).toBe('not-found');
    expect((await contentOf(tablet, '/plans/2026/notes.txt')).toString()).toBe('fourth, without bob');

    // The password is lost; the code is not.
    const found = await (await device(3)).recover({ userName: 'ada', recoveryCode, newPassword: 'another long password' });
    expect(sha256(await contentOf(found.drive, '/plans/song.bin'))).toBe(sha256(song));
    expect(await kindOf(Array.fromAsync(tablet.list('/')))).toBe('session-over');
    expect(await kindOf((await device(1)).login({ userName: 'ada', password: PASSWORD }))).toBe('wrong-key');
    const again = await (await device(2)).login({ userName: 'ada', password: 'another long password' });
    await cluster.restart(4);
    await again.restore('/plans/2026/notes.txt', 1);
    expect((await contentOf(again, '/plans/2026/notes.txt')).toString()).toBe('first');
  });
});
