import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { clientOf, forwarderOf, type ClientPlace } from '../http/forwarded.js';
import { newRun } from '../nodes/peer/peer-hello.js';
import { requireLocal, seeForwarding } from './client-edge.js';
import { FORWARD_HEADER, ForwardProof } from './forward-proof.js';

const RUN = newRun();
const proof = new ForwardProof('secret', RUN, 60_000);

function requestFrom(remoteAddress: string | undefined, localAddress: string | undefined): IncomingMessage {
  const socket = Object.defineProperties(new Socket(), {
    remoteAddress: { value: remoteAddress },
    localAddress: { value: localAddress },
  });
  return Object.assign(new IncomingMessage(socket), { method: 'GET', url: '/files/list' });
}

function isLocal(remoteAddress: string | undefined, localAddress: string | undefined): boolean {
  try {
    requireLocal(requestFrom(remoteAddress, localAddress));
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'client-not-local' });
    return false;
  }
}

/** What the gateway makes of a request that node 3 passes on to a run of it. */
function pass(
  secret: string,
  run: string,
  client: IncomingMessage,
): { status: number; from: number | undefined; client: ClientPlace } {
  const request = requestFrom('10.0.0.3', '10.0.0.1');
  request.headers[FORWARD_HEADER] = new ForwardProof(secret, newRun(), 60_000).sign(
    { number: 3, run: run, takesTickets: false },
    client,
  );
  const response = new ServerResponse(request);
  const status = seeForwarding(proof, request, response) ? 200 : response.statusCode;
  return { status, from: forwarderOf(request), client: clientOf(request) };
}

beforeAll(() => {
  Logger.overrideLogger(false);
});

describe('the length of a body that a peer would store', () => {
  it.each([
    [true, '5000', '5000'],
    [false, '5000', undefined],
  ])('counts as announced if the peer takes tickets (%p)', (takesTickets, said, announced) => {
    const request = requestFrom('10.0.0.3', '10.0.0.1');
    request.headers[FORWARD_HEADER] = new ForwardProof('secret', newRun(), 60_000).sign(
      { number: 3, run: RUN, takesTickets },
      requestFrom('10.0.0.2', '10.0.0.1'),
    );
    request.headers['x-dcloud-length'] = said;
    expect(seeForwarding(proof, request, new ServerResponse(request))).toBe(true);
    expect(request.headers['content-length']).toBe(announced);
  });

  it('is nobody else’s to say', () => {
    const request = requestFrom('10.0.0.3', '10.0.0.1');
    request.headers['x-dcloud-length'] = '5000';
    expect(seeForwarding(proof, request, new ServerResponse(request))).toBe(true);
    expect(request.headers['content-length']).toBeUndefined();
  });
});

describe('what is known of where a client is', () => {
  it('is local for who is on this machine, by whatever address', () => {
    for (const [remote, local] of [
      ['127.0.0.1', '127.0.0.1'],
      ['127.8.8.8', '127.0.0.1'],
      ['::1', '::1'],
      ['::ffff:127.0.0.1', '::ffff:127.0.0.1'],
      ['10.0.0.1', '10.0.0.1'],
      ['fd00::1', 'fd00::1'],
    ] as const)
      expect(isLocal(remote, local)).toBe(true);
  });

  it('is not local for who is elsewhere, or came over a connection that was reset', () => {
    for (const [remote, local] of [
      ['10.0.0.2', '10.0.0.1'],
      ['::ffff:10.0.0.2', '::ffff:10.0.0.1'],
      ['fd00::2', 'fd00::1'],
      ['127.evil', '10.0.0.1'],
      [undefined, '10.0.0.1'],
      [undefined, undefined],
      ['', '10.0.0.1'],
    ] as const)
      expect(isLocal(remote, local)).toBe(false);
  });

  it('is what the peer has seen that passed the request on, if it can prove itself', () => {
    for (const [remote, local, seen] of [
      ['10.0.0.2', '10.0.0.1', { address: '10.0.0.2', isLocal: false }],
      ['127.0.0.1', '127.0.0.1', { address: '127.0.0.1', isLocal: true }],
    ] as readonly [string, string, ClientPlace][]) {
      const client = requestFrom(remote, local);
      expect(pass('secret', RUN, client)).toEqual({ status: 200, from: 3, client: seen });
      expect(pass('another', RUN, client)).toEqual({
        status: 200,
        from: undefined,
        client: { address: '10.0.0.3', isLocal: false },
      });
    }
  });

  it('is not asked of what was passed on to an earlier run: that is answered at once', () => {
    const { status, from } = pass('secret', newRun(), requestFrom('127.0.0.1', '127.0.0.1'));
    expect([status, from]).toEqual([503, undefined]);
  });
});
