import type { StateStore } from './state-store.js';

/** Keeps nothing beyond this run. */
export class MemoryStateStore implements StateStore {
  private readonly values = new Map<string, Uint8Array>();

  get(name: string): Promise<Uint8Array | undefined> {
    const value = this.values.get(name);
    return Promise.resolve(value && Uint8Array.from(value));
  }

  set(name: string, bytes: Uint8Array): Promise<void> {
    this.values.set(name, Uint8Array.from(bytes));
    return Promise.resolve();
  }

  delete(name: string): Promise<void> {
    this.values.delete(name);
    return Promise.resolve();
  }
}
