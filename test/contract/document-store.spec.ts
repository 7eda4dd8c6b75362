import { describeDocumentStore } from './document-store.contract.js';
import { MemoryDocumentStore } from '../support/memory.document-store.js';

describeDocumentStore('MemoryDocumentStore', () =>
  Promise.resolve({ store: new MemoryDocumentStore(), dispose: () => Promise.resolve() }),
);
