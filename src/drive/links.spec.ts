import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { KnownNode, Member } from '../../test/support/drive-world.js';
import { linkTo, SharingWorld } from '../../test/support/drive-sharing-world.js';
import { hashOf, parseCredential } from '../auth/token.js';
import { newId, type FileId } from '../common/ids.js';

const code = (value: string): object => ({ code: value });
const HOUR = 3_600_000;
const { now } = Date;

let world: SharingWorld;
let [ada, bob]: [Member, Member] = [] as never;
let root: KnownNode;
let docs: KnownNode;

beforeEach(async () => {
  world = await SharingWorld.make();
  [ada, bob] = [await world.drive.join('ada'), await world.drive.join('bob')];
  root = await world.drive.folder(ada);
  docs = await world.drive.folder(ada, root, { name: 'docs' });
});

afterEach(() => {
  Date.now = now;
});

const later = (ms: number): void => {
  Date.now = () => now() + ms;
};
const see = (principal: Member['principal'], { id }: KnownNode): Promise<unknown> =>
  world.drive.reach.see(principal, id, world.drive.signal);
const credentialId = (text: string): FileId => parseCredential(text)!.id;

describe('a link', () => {
  it('lets who has it see its node and what is below, and nothing else, for reading', async () => {
    const inner = await world.drive.folder(ada, docs, { name: 'inner' });
    const made = await world.link(ada, docs);
    const { principal, text, link } = await world.open(made);
    expect(link).toEqual(made.link);
    const { id, secret } = parseCredential(text)!;
    expect(world.credentials.known(id)).toMatchObject({ hash: hashOf(secret), principal });
    expect([principal.credentialId, [...principal.scopes], principal.within]).toEqual([made.linkId, ['read'], '/drive/nodes/']);
    for (const node of [docs, inner]) await expect(see(principal, node)).resolves.toMatchObject({ reach: { by: 'link' } });
    await expect(see(principal, root)).rejects.toMatchObject(code('node-not-found'));
    await expect(world.drive.remove({ principal }, inner)).rejects.toMatchObject(code('forbidden'));
    // Only the very credential counts: nothing that looks like it.
    await expect(see({ ...principal }, docs)).rejects.toMatchObject(code('forbidden'));
  });

  it('is refused alike to who guesses and to who knows of no link, at the same times, and the client not for ever', async () => {
    const made = await world.link(ada, docs);
    const wrong = { linkId: made.linkId, proof: new Uint8Array(32) };
    const unknown = { linkId: newId<FileId>(), proof: made.proof };
    const answers = [];
    for (const asked of [wrong, unknown]) {
      const beganAt = performance.now();
      answers.push(await world.open(asked).catch(String));
      expect(performance.now() - beganAt).toBeGreaterThanOrEqual(45); // 50 by another clock
    }
    expect(answers[0]).toBe(answers[1]);
    for (let tries = 2; tries < 5; tries += 1) await expect(world.open(wrong)).rejects.toMatchObject(code('link-not-found'));
    await expect(world.open(made)).rejects.toMatchObject(code('too-many-attempts'));
    await expect(world.open(made, '192.0.2.2')).resolves.toBeDefined();
  });

  it('is opened as often as it may be, however many come at once', async () => {
    const made = await world.link(ada, docs, { usesMax: 5 });
    const opened = await Promise.allSettled(Array.from({ length: 20 }, () => world.open(made)));
    expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    const reasons = opened.flatMap((each) => (each.status === 'rejected' ? [(each.reason as { code: string }).code] : []));
    expect(new Set(reasons)).toEqual(new Set(['link-expired']));
    expect((await world.links.of({ account: ada.id, id: docs.id }, world.drive.signal))[0]).toMatchObject({ uses: 5 });
    await expect(world.open({ ...made, proof: new Uint8Array(32) })).rejects.toMatchObject(code('link-not-found'));
  });

  it('counts no use twice, also against a change that it does not know of', async () => {
    const made = await world.link(ada, docs, { usesMax: 5 });
    const found = (await world.linkDocuments.find(made.linkId, world.drive.signal))!;
    await world.linkDocuments.count(found, world.drive.signal);
    await expect(world.linkDocuments.count(found, world.drive.signal)).rejects.toMatchObject(code('precondition-failed'));
  });

  it('is over at its time, with what it gave, and says so only to who has it', async () => {
    const made = await world.link(ada, docs, { expiresAt: Date.now() + 60_000 });
    const { principal, expiresAt } = await world.open(made);
    expect(expiresAt).toBe(made.expiresAt);
    later(60_001);
    await expect(world.open(made)).rejects.toMatchObject(code('link-expired'));
    await expect(world.open({ ...made, proof: new Uint8Array(32) })).rejects.toMatchObject(code('link-not-found'));
    await expect(see(principal, docs)).rejects.toMatchObject(code('forbidden'));
  });

  it('gives what is over after an hour', async () => {
    const { principal, text } = await world.open(await world.link(ada, docs));
    later(HOUR + 1);
    expect(world.credentials.known(credentialId(text))).toBeUndefined();
    await expect(see(principal, docs)).rejects.toMatchObject(code('forbidden'));
  });

  it('is ended by its owner alone, and all that it gave with it', async () => {
    const made = await world.link(ada, docs);
    const { principal } = await world.open(made);
    await expect(world.links.remove(bob.principal, made.linkId, world.drive.signal)).rejects.toMatchObject(
      code('link-not-found'),
    );
    await expect(world.links.remove(ada.principal, docs.id, world.drive.signal)).rejects.toMatchObject(code('link-not-found'));
    await see(principal, docs);
    const opening = Array.from({ length: 8 }, () => world.open(made));
    const removed = world.links.remove(ada.principal, made.linkId, world.drive.signal);
    const opened = (await Promise.allSettled(opening)).flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    await removed;
    for (const { principal: by } of [{ principal }, ...opened])
      await expect(see(by, docs)).rejects.toMatchObject(code('forbidden'));
    await expect(world.open(made)).rejects.toMatchObject(code('link-not-found'));
  });

  it('lets nobody in who was half in when it was ended', async () => {
    const made = await world.link(ada, docs);
    const { promise: wasFound, resolve: goOn } = Promise.withResolvers<undefined>();
    const find = world.linkDocuments.find.bind(world.linkDocuments);
    let finds = 0;
    world.linkDocuments.find = async (...asked) => {
      const [found, at] = [await find(...asked), (finds += 1)];
      if (at === 2) await wasFound; // behind the proof, before it is let in
      return found;
    };
    const opening = world.open(made);
    while (finds < 2) await new Promise(setImmediate);
    const removed = world.links.remove(ada.principal, made.linkId, world.drive.signal);
    for (let turns = 0; turns < 20; turns += 1) await new Promise(setImmediate);
    goOn(undefined);
    const { principal } = await opening;
    await removed;
    await expect(see(principal, docs)).rejects.toMatchObject(code('forbidden'));
  });

  it('dies with its node, with a folder above it, and with the account', async () => {
    const [one, other] = [await world.link(ada, docs, { usesMax: 2 }), await world.link(ada, root)];
    const { principal } = await world.open(other);
    await world.drive.remove(ada, docs);
    await expect(world.open(one)).rejects.toMatchObject(code('link-not-found'));
    await world.drive.accounts.change(ada.id, { isDisabled: true }, world.drive.signal);
    await expect(see(principal, root)).rejects.toMatchObject(code('forbidden'));
    await expect(world.open(other)).rejects.toMatchObject(code('link-not-found'));
  });

  it('is made with an id that was given out, to this node and its keys, and there are 100 of a node', async () => {
    const seen = await world.own(ada, docs);
    const make = (wish: Awaited<ReturnType<typeof linkTo>>): Promise<unknown> => world.links.make(seen, wish, world.drive.signal);
    const id = (): FileId => world.drive.ids.issue(ada.id, 1)[0]!;
    await expect(make(await linkTo(ada, docs.draft, newId<FileId>()))).rejects.toMatchObject(code('id-not-issued'));
    await expect(make(await linkTo(ada, root.draft, id()))).rejects.toMatchObject(code('invalid-record'));
    const good = await linkTo(ada, docs.draft, id());
    await expect(make({ ...good, linkId: id() })).rejects.toMatchObject(code('invalid-record'));
    await expect(make({ ...good, link: good.link.subarray(1) })).rejects.toMatchObject(code('invalid-record'));
    await expect(make({ ...good, proofHash: new Uint8Array(31) })).rejects.toMatchObject(code('invalid-request'));
    for (const expiresAt of [Date.now() - 1, NaN])
      await expect(make({ ...good, expiresAt })).rejects.toMatchObject(code('invalid-request'));
    await make(good);
    await expect(make(good)).rejects.toMatchObject(code('id-not-issued'));
    for (let links = 1; links < 100; links += 1) await make({ ...good, ...(await linkTo(ada, docs.draft, id())) });
    await expect(make(await linkTo(ada, docs.draft, id()))).rejects.toMatchObject(code('sharing-limit'));
  });
});

describe('credentials of links', () => {
  it('are bounded for each link, and the oldest go', async () => {
    const made = await world.link(ada, docs);
    const first = await world.open(made);
    const opened = { linkId: made.linkId, node: { account: ada.id, nodeId: docs.id }, expiresAt: undefined };
    for (let count = 1; count < 1_000; count += 1) world.credentials.begin(opened);
    expect(world.credentials.known(credentialId(first.text))).toBeDefined();
    world.credentials.begin(opened);
    expect(world.credentials.known(credentialId(first.text))).toBeUndefined();
  });
});
