import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { NodeError } from '../nodes/storage-node.js';
import type { ClusterMember } from './cluster-member.js';
import { GatewayWatch } from './gateway-watch.js';

describe('GatewayWatch', () => {
  it('ends in good order while it asks all others, because the gateway does not answer', async () => {
    Logger.overrideLogger(false);
    const asking = Promise.withResolvers<undefined>();
    const member = {
      number: 2,
      map: { gateway: 1 },
      config: { limits: { probe_interval_ms: 10 } },
      hear: () => Promise.reject(new NodeError('unavailable', 'nothing listens there')),
      hearAll: async (signal: AbortSignal) => {
        asking.resolve(undefined);
        await once(signal, 'abort');
        signal.throwIfAborted();
      },
    } as unknown as ClusterMember;
    const watch = new GatewayWatch(member);
    watch.start();
    await asking.promise;
    expect(watch.problem()).toContain('does not answer');
    await watch.stop();
  });
});
