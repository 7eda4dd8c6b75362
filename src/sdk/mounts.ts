import type { Bytes } from './bytes.js';
import { normalName } from './drive-name.js';
import { SdkError } from './errors.js';
import { FieldReader, FieldWriter } from './fields.js';

const FORMAT = 0x01;
const NAMES_MAX = 10_000;

/** What was accepted of somebody, under a name of one's own. */
export interface Mount {
  readonly name: string;
  readonly nodeId: string;
  /** Whose node it is: the server is not asked that again. */
  readonly ownerId: string;
}

/** What an account remembers of sharing, sealed in its vault: what it accepted, and which of its own nodes it has ever shared. */
export class Mounts {
  private constructor(
    readonly all: readonly Mount[],
    readonly sharedNodes: ReadonlySet<string>,
  ) {}

  static readonly none = new Mounts([], new Set());

  /** @throws SdkError `damaged`, `unsupported-format` */
  static decode(bytes: Uint8Array | undefined): Mounts {
    if (bytes === undefined) return Mounts.none;
    const reader = new FieldReader(bytes).format(FORMAT);
    const mounts = reader.list(() => ({ name: reader.text(), nodeId: reader.id(), ownerId: reader.id() }));
    const shared = reader.list(() => reader.id());
    reader.end();
    return new Mounts(mounts, new Set(shared));
  }

  encode(): Bytes {
    const writer = new FieldWriter().u8(FORMAT);
    writer.list(this.all, ({ name, nodeId, ownerId }) => writer.text(name).id(nodeId).id(ownerId));
    return writer.list([...this.sharedNodes], (nodeId) => writer.id(nodeId)).finish();
  }

  named(name: string): Mount | undefined {
    const normal = normalName(name);
    return this.all.find((mount) => mount.name === normal);
  }

  of(nodeId: string): Mount | undefined {
    return this.all.find((mount) => mount.nodeId === nodeId);
  }

  /** The same node again keeps its name. @param name wished for; if it is taken, a number is put behind it */
  with(mount: Mount): Mounts {
    if (this.of(mount.nodeId) !== undefined) return this;
    return new Mounts([...this.all, { ...mount, name: this.freeName(normalName(mount.name)) }], this.sharedNodes);
  }

  without(nodeId: string): Mounts {
    return new Mounts(
      this.all.filter((mount) => mount.nodeId !== nodeId),
      this.sharedNodes,
    );
  }

  withShared(nodeId: string): Mounts {
    return new Mounts(this.all, new Set([...this.sharedNodes, nodeId]));
  }

  private freeName(name: string): string {
    if (this.named(name) === undefined) return name;
    for (let number = 2; number < NAMES_MAX; number += 1) {
      const numbered = `${name} (${number})`;
      if (this.named(numbered) === undefined) return numbered;
    }
    throw new SdkError('exists');
  }
}
