/** People with devices on a drive in memory, whose client is the real one. */
import type { ContactBook, KnownPerson } from '../../src/sdk/contact-book.js';
import { DriveCalls } from '../../src/sdk/drive-calls.js';
import { DriveLinks } from '../../src/sdk/drive-links.js';
import type { Entry } from '../../src/sdk/drive-api.js';
import { DriveSharing } from '../../src/sdk/drive-sharing.js';
import type { DriveSession } from '../../src/sdk/drive-session.js';
import { NodeKeys } from '../../src/sdk/drive-keys.js';
import { makeNodeRecord, type NodeRecord } from '../../src/sdk/drive-record.js';
import { SdkError } from '../../src/sdk/errors.js';
import { IdPool } from '../../src/sdk/id-pool.js';
import { NodeOpener } from '../../src/sdk/open-node.js';
import { Pins } from '../../src/sdk/pins.js';
import { SeenMemory } from '../../src/sdk/seen-memory.js';
import { SharedWithMe } from '../../src/sdk/shared-with-me.js';
import type { Vault } from '../../src/sdk/vault.js';
import { lastOf, openOwnWay, ownWriter, type Way } from '../../src/sdk/way.js';
import { webFloe } from '../../src/sdk/web-floe-back-end.js';
import { NO_HASH, addRoot, attributesOf, newPerson, newUuid, type Person } from './e2ee-world.js';
import { MemoryDrive } from './memory-drive.js';

const never = new AbortController().signal;

export class DeviceWorld {
  readonly drive = new MemoryDrive();
  readonly people = new Map<string, Person>();
  private readonly vaults = new Map<string, Map<string, Uint8Array>>();

  async person(userName: string): Promise<Person> {
    const person = await newPerson(userName);
    this.people.set(userName, person);
    this.vaults.set(person.master.accountId, new Map());
    this.drive.put(person.master.accountId, (await addRoot(person)).bytes);
    return person;
  }

  /** One more device of somebody: it has seen nothing yet. */
  device(person: Person): Device {
    return new Device(this, person, vaultIn(this.vaults.get(person.master.accountId) as Map<string, Uint8Array>));
  }

  /** As the pins of somebody say whom the others are. */
  contacts(): ContactBook {
    const meet = async (asked: { accountId?: string; userName?: string }): Promise<KnownPerson> => {
      for (const [userName, { bundle, owner }] of this.people)
        if (userName === asked.userName || bundle.accountId === asked.accountId) return { bundle, owner };
      throw new SdkError('user-not-found');
    };
    const pins = async (): Promise<Pins> => {
      const met = new Pins();
      for (const [userName, { bundle }] of this.people) met.meet([bundle], { userName });
      return met;
    };
    return { meet, pins } as unknown as ContactBook;
  }
}

export class Device {
  readonly session: DriveSession;
  readonly sharing: DriveSharing;
  readonly links: DriveLinks;
  readonly received: SharedWithMe;
  readonly seen = new SeenMemory();

  constructor(
    readonly world: DeviceWorld,
    readonly person: Person,
    vault: Vault,
  ) {
    const accountId = person.master.accountId;
    const transport = world.drive.transport(accountId);
    const { master, identity, bundle, owner, writer } = person;
    this.session = {
      account: { id: accountId, userName: bundle.userName },
      transport,
      keys: { master, identity, bundle, owner },
      writer,
      floe: webFloe,
      passwordHash: undefined,
      ids: new IdPool((count) => Promise.resolve(Array.from({ length: count }, newUuid))),
      seen: this.seen,
      vault,
      contacts: world.contacts(),
      root: () => Promise.reject(new Error('not needed here')),
      refresh: () => Promise.resolve(),
    };
    const tree = { stat: (path: string): Promise<Entry> => Promise.resolve({ id: path, owner: accountId } as Entry) };
    this.sharing = new DriveSharing(this.session, tree);
    this.links = new DriveLinks(this.session, tree);
    this.received = new SharedWithMe(this.session, new NodeOpener(new DriveCalls(transport), this.seen));
  }

  /** Makes a node; its id is its path here. */
  async make(parentId: string | undefined, name: string, kind: 'file' | 'folder' = 'folder'): Promise<string> {
    const way = parentId === undefined ? await this.root() : await this.way(parentId);
    const parent = lastOf(way).record;
    const keys = NodeKeys.fresh();
    const draft = { nodeId: newUuid(), parentId: parent.nodeId, revision: 1, previousHash: NO_HASH, keys };
    const attributes = attributesOf(name, kind);
    const record = await makeNodeRecord(
      { ...draft, attributes, writer: ownWriter(this.session, way) },
      parent.keys,
      this.person.identity.signer,
    );
    return this.world.drive.put(this.person.master.accountId, record);
  }

  way(nodeId: string): Promise<Way> {
    return openOwnWay(this.session, nodeId, never);
  }

  async record(nodeId: string): Promise<NodeRecord> {
    return lastOf(await this.way(nodeId)).record;
  }

  private root(): Promise<Way> {
    const own = [...this.world.drive.nodes.values()].find(({ owner }) => owner === this.person.master.accountId);
    return this.way(own?.id ?? '');
  }
}

function vaultIn(kept: Map<string, Uint8Array>): Vault {
  return {
    read: (name) => Promise.resolve(kept.get(name)),
    update: async (name, change) => {
      const next = await change(kept.get(name));
      if (next !== undefined) kept.set(name, next);
    },
  };
}
