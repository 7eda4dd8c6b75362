import { concatAll, randomBytes, type Bytes } from './bytes.js';
import { SdkError } from './errors.js';
import { KEY_BYTES } from './hkdf.js';
import { openSeal, seal } from './seal.js';

/** The keys of one node: the current one last, before it those of earlier generations, which old content is sealed under. */
export class NodeKeys {
  private constructor(private readonly keys: readonly Bytes[]) {}

  static fresh(): NodeKeys {
    return new NodeKeys([randomBytes(KEY_BYTES)]);
  }

  /** The key of a root: its only holder derives it. */
  static derived(key: Bytes): NodeKeys {
    return new NodeKeys([key]);
  }

  /** Opens the keys of earlier generations with the current one. @throws SdkError `damaged` */
  static async open(current: Bytes, of: { nodeId: string; generation: number }, sealedFormer: Uint8Array): Promise<NodeKeys> {
    const former = of.generation === 1 && sealedFormer.length === 0 ? [] : await openFormer(current, of, sealedFormer);
    return new NodeKeys([...former, current]);
  }

  /** From 1; grows when somebody loses the right to read. */
  get generation(): number {
    return this.keys.length;
  }

  get current(): Bytes {
    return this.keys.at(-1) as Bytes;
  }

  /** @throws SdkError `damaged` if there is no such generation yet */
  at(generation: number): Bytes {
    const key = this.keys[generation - 1];
    if (key === undefined) throw new SdkError('damaged');
    return key;
  }

  /** One generation more: what is sealed from now on, holders of the keys until now cannot open. */
  next(): NodeKeys {
    return new NodeKeys([...this.keys, randomBytes(KEY_BYTES)]);
  }

  /** The earlier keys, under the current one: whoever may read what is new may read what is old. */
  async sealFormer(nodeId: string): Promise<Bytes> {
    if (this.generation === 1) return new Uint8Array(0);
    const fields = [nodeId, this.generation];
    return seal(this.current, concatAll(this.keys.slice(0, -1)), { purpose: 'former-keys', fields });
  }
}

async function openFormer(
  current: Bytes,
  { nodeId, generation }: { nodeId: string; generation: number },
  sealed: Uint8Array,
): Promise<readonly Bytes[]> {
  const joined = await openSeal(current, sealed, { purpose: 'former-keys', fields: [nodeId, generation] });
  if (joined.length !== (generation - 1) * KEY_BYTES) throw new SdkError('damaged');
  return Array.from({ length: generation - 1 }, (_, index) => joined.slice(index * KEY_BYTES, (index + 1) * KEY_BYTES));
}
