import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import type { Forwarding } from '../http/forwarded.js';
import { newRun } from '../nodes/peer/peer-hello.js';
import { FORWARD_HEADER, ForwardProof } from './forward-proof.js';

const [RUN, OTHER] = [newRun(), newRun()];
const CLIENT = { address: '10.0.0.9', isLocal: false };
const ASKED = { method: 'PUT', url: '/files?name=x', socket: { remoteAddress: '10.0.0.9' } } as unknown as IncomingMessage;

function carrying(value: string, { method, url }: { readonly method?: string; readonly url?: string } = {}): IncomingMessage {
  return {
    method: method ?? ASKED.method,
    url: url ?? ASKED.url,
    headers: { [FORWARD_HEADER]: value },
  } as unknown as IncomingMessage;
}

describe('ForwardProof', () => {
  it('tells which peer passed a request on, once', () => {
    const [sender, receiver] = [new ForwardProof('secret', OTHER, 60_000), new ForwardProof('secret', RUN, 60_000)];
    const value = sender.sign({ number: 3, run: RUN, takesTickets: false }, ASKED);
    expect(receiver.verify(carrying(value))).toEqual({ node: 3, client: CLIENT });
    expect(receiver.verify(carrying(value))).toBeUndefined();
    expect(receiver.verify(carrying(sender.sign({ number: 4, run: RUN, takesTickets: false }, ASKED)))).toEqual({
      node: 4,
      client: CLIENT,
    });
  });

  it('takes no proof for another request, another peer, of another secret, of another time, or what is none', () => {
    let now = 1_000_000;
    const [sender, receiver] = ['secret', 'secret'].map((secret) => new ForwardProof(secret, RUN, 60_000, () => now)) as [
      ForwardProof,
      ForwardProof,
    ];
    const value = sender.sign({ number: 3, run: RUN, takesTickets: false }, ASKED);
    const wrong = [
      carrying(value, { method: 'GET' }),
      carrying(value, { url: '/files?name=y' }),
      carrying(value.replace(/^3/, '2')),
      carrying(value.replace(Buffer.from('r10.0.0.9').toString('base64url'), Buffer.from('l127.0.0.1').toString('base64url'))),
      carrying(new ForwardProof('other', RUN, 60_000, () => now).sign({ number: 3, run: RUN, takesTickets: false }, ASKED)),
      carrying('3'),
      carrying(''),
    ];
    for (const request of wrong) expect(receiver.verify(request)).toBeUndefined();
    now += 60_001;
    expect(receiver.verify(carrying(value))).toBeUndefined();
    now -= 60_001;
    expect(receiver.verify(carrying(value))).toEqual({ node: 3, client: CLIENT });
  });

  it('proves a ticket to the peer that asked for one, for this request alone', () => {
    const [sender, receiver] = [new ForwardProof('secret', OTHER, 60_000), new ForwardProof('secret', RUN, 60_000)];
    const value = sender.sign({ number: 3, run: RUN, takesTickets: true }, ASKED);
    const passing = sender.sign({ number: 3, run: RUN, takesTickets: false }, ASKED);
    const forged = receiver.verify(carrying(passing.replace('3.p.', '3.t.')));
    const [asked, passed] = [receiver.verify(carrying(value)), receiver.verify(carrying(passing))];
    const ticket = Buffer.from('a ticket');
    expect([forged, passed]).toEqual([undefined, { node: 3, client: CLIENT }]);
    const proof = (asked as Forwarding).tickets?.prove(ticket) ?? '';
    expect(sender.isTicketOf(value, ticket, proof)).toBe(true);
    for (const other of [
      '',
      `${proof}a`,
      proof.slice(1),
      new ForwardProof('other', RUN, 60_000).sign({ number: 3, run: RUN, takesTickets: true }, ASKED),
    ])
      expect(sender.isTicketOf(value, ticket, other)).toBe(false);
    expect(sender.isTicketOf(value, Buffer.from('another'), proof)).toBe(false);
    expect(sender.isTicketOf(passing, ticket, proof)).toBe(false);
  });

  it('is for one run of the gateway: a later one has forgotten which it took', () => {
    const sender = new ForwardProof('secret', newRun(), 60_000);
    const value = sender.sign({ number: 3, run: RUN, takesTickets: false }, ASKED);
    const [receiver, restarted] = [new ForwardProof('secret', RUN, 60_000), new ForwardProof('secret', OTHER, 60_000)];
    expect(receiver.verify(carrying(value))).toEqual({ node: 3, client: CLIENT });
    expect(restarted.verify(carrying(value))).toBe('other-run');
    expect(restarted.verify(carrying(value.replace(RUN, OTHER)))).toBeUndefined();
  });
});
