import { beforeEach, describe, expect, it } from '@jest/globals';
import type { StateStore } from '../../src/sdk/state-store.js';

/** What every place for the state of a device promises. */
export function stateStoreContract(make: () => Promise<StateStore>): void {
  describe('keeps named values', () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await make();
    });

    it('has nothing at first, and nothing after it was deleted, twice', async () => {
      expect(await store.get('account')).toBeUndefined();
      await store.set('account', Uint8Array.of(1, 2, 3));
      await store.delete('account');
      await store.delete('account');
      expect(await store.get('account')).toBeUndefined();
    });

    it('gives what was set last, each under its name', async () => {
      await store.set('account', Uint8Array.of(1));
      await store.set('seen-1', new Uint8Array(0));
      await store.set('account', Uint8Array.of(2, 3));
      expect(await store.get('account')).toEqual(Uint8Array.of(2, 3));
      expect(await store.get('seen-1')).toEqual(new Uint8Array(0));
    });

    it('is not changed by who changes what was given to it, or by it', async () => {
      const given = Uint8Array.of(1);
      await store.set('account', given);
      given[0] = 9;
      (await store.get('account'))![0] = 9;
      expect(await store.get('account')).toEqual(Uint8Array.of(1));
    });

    it('has one value whole, whoever else writes at the same time', async () => {
      const values = Array.from({ length: 8 }, (_, at) => new Uint8Array(10_000 + at).fill(at));
      await Promise.all(values.map((value) => store.set('account', value)));
      const kept = (await store.get('account'))!;
      expect(kept).toEqual(values[kept[0]!]);
    });
  });
}
