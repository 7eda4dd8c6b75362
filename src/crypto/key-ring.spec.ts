import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { newId, type ClusterId } from '../common/ids.js';
import { KeyRing } from './key-ring.js';

const clusterId = newId<ClusterId>();
const now = Date.UTC(2026, 0, 2);

type Entry = Record<string, unknown>;
type Root = Record<string, unknown> & { keys: Entry[] };

function changed(ring: KeyRing, change: (root: Root) => void): string {
  const root = JSON.parse(ring.serialize()) as Root;
  change(root);
  return JSON.stringify(root);
}

function failure(text: string): string {
  try {
    KeyRing.parse(text);
  } catch (error) {
    return inspect(error, { depth: 10 });
  }
  throw new Error('it was parsed');
}

describe('KeyRing', () => {
  const ring = KeyRing.create(clusterId, now).withNewActiveKey(now + 5);

  it('begins with one active key and rotates to k2, k3, …', () => {
    expect(KeyRing.create(clusterId, now).keys.map(({ id, state }) => [id, state])).toEqual([['k1', 'active']]);
    const third = ring.withNewActiveKey(now + 9);
    expect(third.keys.map(({ id, state }) => [id, state])).toEqual([
      ['k1', 'decrypt-only'],
      ['k2', 'decrypt-only'],
      ['k3', 'active'],
    ]);
    expect(third.activeKey).toMatchObject({ id: 'k3', createdAt: now + 9 });
    expect(third.key('k1').key.equals(ring.key('k1').key)).toBe(true);
    expect(new Set(third.keys.map(({ key }) => key.export().toString('hex'))).size).toBe(3);
  });

  it('never gives an id twice', () => {
    expect(ring.without('k1').withNewActiveKey(now).active).toBe('k3');
  });

  it('drops retired keys but not the active one', () => {
    expect(ring.without('k1').keys.map(({ id }) => id)).toEqual(['k2']);
    expect(() => ring.without('k2')).toThrow(expect.objectContaining({ code: 'invalid-request' }));
    expect(() => ring.without('k9')).toThrow(expect.objectContaining({ code: 'key-missing' }));
  });

  it('does not change', () => {
    expect(Object.isFrozen(ring) && Object.isFrozen(ring.keys) && ring.keys.every((key) => Object.isFrozen(key))).toBe(true);
  });

  it('tells which key it lacks', () => {
    expect(() => ring.key('k9')).toThrow(
      expect.objectContaining({ code: 'key-missing', detail: expect.stringContaining('k9') as unknown }),
    );
  });

  it('reads what it wrote', () => {
    const read = KeyRing.parse(ring.serialize());
    expect(read.serialize()).toBe(ring.serialize());
    expect(read.clusterId).toBe(clusterId);
    expect(read.activeKey.key.equals(ring.activeKey.key)).toBe(true);
    expect(read.key('k1').createdAt).toBe(now);
    expect(JSON.parse(ring.serialize())).toMatchObject({ format: 1, clusterId, active: 'k2' });
  });

  it('names its keys by fingerprints that others with the same keys have, too, and that tell nothing of them', () => {
    const [first, second] = ring.fingerprints;
    expect(ring.fingerprints).toEqual([expect.stringMatching(/^k1:[0-9a-f]{16}$/), expect.stringMatching(/^k2:[0-9a-f]{16}$/)]);
    expect(KeyRing.parse(ring.serialize()).fingerprints).toEqual(ring.fingerprints);
    expect(ring.without('k1').fingerprints).toEqual([second]);
    expect(KeyRing.create(clusterId, now).fingerprints).not.toEqual([first]);
    const withLogin = ring.withLoginSetup(Uint8Array.of(1, 2, 3), now);
    expect(withLogin.fingerprints).toEqual([first, second, expect.stringMatching(/^login:[0-9a-f]{16}$/)]);
  });

  const damages: [string, RegExp, (root: Root) => void][] = [
    ['a newer format', /format 3.*newer program/, (root) => (root['format'] = 3)],
    ['the format with a login setup but none', /no login/, (root) => (root['format'] = 2)],
    ['no format', /format/, (root) => delete root['format']],
    ['another cluster id', /clusterId/, (root) => (root['clusterId'] = 'x')],
    ['no keys', /keys/, (root) => (root.keys = [])],
    ['no active key', /active/, (root) => (root['active'] = 'k9')],
    ['a retired key as the active one', /active/, (root) => (root['active'] = 'k1')],
    ['two active keys', /active/, (root) => (root.keys[0]!['state'] = 'active')],
    ['one id twice', /one id/, (root) => root.keys.push(root.keys[0]!)],
    ['an unknown member', /other members/, (root) => (root['more'] = 1)],
    ['an unknown member of a key', /other members/, (root) => (root.keys[0]!['more'] = 1)],
    ['a key that is no object', /no object/, (root) => (root.keys[0] = [] as unknown as Entry)],
    ['an odd id', /no id like k1/, (root) => (root.keys[0]!['id'] = 'k01')],
    ['an unknown state', /neither active/, (root) => (root.keys[0]!['state'] = 'old')],
    ['no time', /time of creation/, (root) => (root.keys[0]!['createdAt'] = 'soon')],
    ['a missing key', /has no key/, (root) => delete root.keys[0]!['key']],
    ['a short key', /32 bytes/, (root) => (root.keys[0]!['key'] = 'AAAA')],
    ['a key with a stray sign', /32 bytes/, (root) => (root.keys[0]!['key'] = `!${String(root.keys[0]!['key'])}`)],
    ['a changed key', /check value/, (root) => (root.keys[0]!['key'] = Buffer.alloc(32).toString('base64'))],
    ['a key of another id', /check value/, (root) => (root.keys[0]!['id'] = 'k5')],
  ];

  it.each(damages)('refuses %s and tells no part of a key', (_, reason, change) => {
    const text = changed(ring, change);
    const told = failure(text);
    expect(told).toMatch(reason);
    expect(told).toContain('storage-unusable');
    for (const { key } of ring.keys) expect(told).not.toContain(key.export().toString('base64').slice(0, 8));
  });

  it('tells no part of a key when the JSON breaks off in it', () => {
    const key = ring.activeKey.key.export().toString('base64');
    const text = ring.serialize().replace(`"${key}"`, key);
    expect(failure(text)).toContain('not JSON');
    expect(failure(text)).not.toContain(key.slice(0, 4));
    expect(failure('null')).toContain('no object');
  });

  describe('with a login setup', () => {
    const secret = Buffer.alloc(128, 'login setup ');
    const withLogin = ring.withLoginSetup(Uint8Array.from(secret), now + 7);
    const setup = (root: Root): Entry => root['login'] as Entry;

    it('keeps it through all changes, and reads what it wrote', () => {
      const read = KeyRing.parse(withLogin.serialize());
      expect(read.serialize()).toBe(withLogin.serialize());
      expect(JSON.parse(read.serialize())).toMatchObject({ format: 2 });
      for (const other of [read, read.withNewActiveKey(now), read.without('k1')])
        expect(other.loginSetup?.secret.export().equals(secret)).toBe(true);
      expect(read.loginSetup?.createdAt).toBe(now + 7);
      expect(() => read.withLoginSetup(Uint8Array.from(secret), now)).toThrow(
        expect.objectContaining({ code: 'invalid-request' }),
      );
    });

    it('clears what it was made of', () => {
      const raw = Uint8Array.from(secret);
      ring.withLoginSetup(raw, now);
      expect(raw.every((byte) => byte === 0)).toBe(true);
    });

    it.each<[string, RegExp, (root: Root) => void]>([
      ['one of the older format', /other members/, (root) => (root['format'] = 1)],
      ['one that was changed', /check value/, (root) => (setup(root)['setup'] = Buffer.alloc(128).toString('base64'))],
      ['an empty one', /not base64/, (root) => (setup(root)['setup'] = '')],
      ['one with a stray sign', /not base64/, (root) => (setup(root)['setup'] = `!${String(setup(root)['setup'])}`)],
      ['one without a time', /time of creation/, (root) => (setup(root)['createdAt'] = 'x')],
      ['one with more members', /other members/, (root) => (setup(root)['more'] = 1)],
    ])('refuses %s and tells no part of it', (_, reason, change) => {
      const told = failure(changed(withLogin, change));
      expect(told).toMatch(reason);
      expect(told).not.toContain(secret.toString('base64').slice(0, 8));
    });

    it('does not show it when it is logged', () => {
      const shown = inspect(withLogin, { depth: 10 }) + JSON.stringify(withLogin);
      for (const encoding of ['base64', 'hex', 'utf8'] as const)
        expect(shown).not.toContain(secret.toString(encoding).slice(0, 10));
    });
  });

  it('does not show its keys when it is logged', () => {
    const shown = inspect(ring, { depth: 10 }) + JSON.stringify(ring);
    for (const { key } of ring.keys) {
      for (const encoding of ['base64', 'hex'] as const)
        expect(shown).not.toContain(key.export().toString(encoding).slice(0, 10));
    }
  });
});
