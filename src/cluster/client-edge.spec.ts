import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { forwarderOf } from '../http/forwarded.js';
import { admitClient } from './client-edge.js';
import { newRun } from '../nodes/peer/peer-hello.js';
import { FORWARD_HEADER, ForwardProof } from './forward-proof.js';

const RUN = newRun();
const proof = new ForwardProof('secret', RUN, 60_000);

function ask(
  remoteAddress: string | undefined,
  localAddress: string | undefined,
  passedOnTo?: string,
): { readonly status: number; readonly from: number | undefined } {
  const socket = Object.defineProperties(new Socket(), {
    remoteAddress: { value: remoteAddress },
    localAddress: { value: localAddress },
  });
  const request = Object.assign(new IncomingMessage(socket), { method: 'GET', url: '/files/list' });
  if (passedOnTo !== undefined)
    request.headers[FORWARD_HEADER] = new ForwardProof('secret', newRun(), 60_000).sign(3, passedOnTo, request);
  const response = new ServerResponse(request);
  return { status: admitClient(proof, request, response) ? 200 : response.statusCode, from: forwarderOf(request) };
}

beforeAll(() => {
  Logger.overrideLogger(false);
});

describe('admitClient', () => {
  it('lets in who is on this machine, by whatever address', () => {
    for (const [remote, local] of [
      ['127.0.0.1', '127.0.0.1'],
      ['127.8.8.8', '127.0.0.1'],
      ['::1', '::1'],
      ['::ffff:127.0.0.1', '::ffff:127.0.0.1'],
      ['10.0.0.1', '10.0.0.1'],
      ['fd00::1', 'fd00::1'],
    ] as const)
      expect(ask(remote, local)).toEqual({ status: 200, from: undefined });
  });

  it('refuses who is not, unless a peer has let it in', () => {
    for (const [remote, local] of [
      ['10.0.0.2', '10.0.0.1'],
      ['::ffff:10.0.0.2', '::ffff:10.0.0.1'],
      ['fd00::2', 'fd00::1'],
      ['127.evil', '10.0.0.1'],
    ] as const) {
      expect(ask(remote, local)).toEqual({ status: 403, from: undefined });
      expect(ask(remote, local, RUN)).toEqual({ status: 200, from: 3 });
    }
  });

  it('takes what was passed on to an earlier run neither for passed on nor for a client of this machine', () => {
    expect(ask('127.0.0.1', '127.0.0.1', newRun())).toEqual({ status: 503, from: undefined });
  });

  it('refuses what came over a connection that was reset: the system does not know any more from where', () => {
    for (const local of ['10.0.0.1', undefined]) expect(ask(undefined, local)).toEqual({ status: 403, from: undefined });
    expect(ask('', '10.0.0.1')).toEqual({ status: 403, from: undefined });
  });
});
