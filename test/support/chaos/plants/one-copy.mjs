// A fault that is planted into the program under test (node --import): a change is acknowledged as soon as one node has it.
import { RecordStore } from '../../../../dist/redundancy/record-store.js';
import { StripeStore } from '../../../../dist/redundancy/stripe-store.js';
import { patch } from './patch.mjs';

patch(
  RecordStore,
  'putOnce',
  (putOnce) =>
    function (draft, ...rest) {
      const [nodes, riders] = [draft.nodes.slice(0, 1), draft.riders?.slice(0, 1)];
      return putOnce.call(this, { ...draft, nodes, riders }, ...rest);
    },
);
patch(
  StripeStore,
  'putAll',
  (putAll) =>
    function (assignments, ...rest) {
      return putAll.call(
        this,
        assignments.filter(({ shard }) => shard.index === 0),
        ...rest,
      );
    },
);
