import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type ClientPlace, clientOf, type Forwarding, type TicketProver } from '../http/forwarded.js';
import { isSame } from '../nodes/peer/peer-secret.js';
import { ReplayWindow } from '../nodes/peer/replay-window.js';

/** The header by which a peer says that a request of a client came through it. */
export const FORWARD_HEADER = 'x-dcloud-forwarded';
/** The header of an answer to a request that was passed on to another run than the one that got it. */
export const OTHER_RUN_HEADER = 'x-dcloud-other-run';

const KEY_BYTES = 32;
const SENDER_BYTES = 8;
const COUNT_DIGITS = 16;
const FORM = /^(\d{1,4})\.([tp])\.(\d{1,15})\.([0-9a-f]{32})\.([0-9a-f]{32})\.([\w-]{1,200})\.([\w-]{43})$/;
/** Before the address of a client on the peer's own machine, and of any other. */
const LOCAL = 'l';
const REMOTE = 'r';

/** Whether the peer takes a ticket, by which it reads or stores the body itself, or only passes on what comes. */
const TAKES = 't';
const PASSES = 'p';

/** What is proved besides requests; each of them begins otherwise than a request. */
const TICKET = 'ticket';
const REPORT = 'report';

type Proof = readonly [string, string, string, string, string, string, string, string];

/** What a peer says when it passes a request on. */
export interface Passing {
  /** Of its node. */
  readonly number: number;
  /** The run of the gateway's process that it is for. */
  readonly run: string;
  /** Whether it would read or store the body itself. */
  readonly takesTickets: boolean;
}

/**
 * The proof that a request was passed on by a peer: it makes the gateway trust where the request came from, and stops a request from going
 * round. It covers method, path, the peer's number, whether it takes a ticket, where the client is, time, a nonce that is taken once, and the
 * run of the process that it is for, which is what remembers the nonces: nothing can be played to a later run, or to another process. The body
 * is the client's affair, as it is without a peer between.
 */
export class ForwardProof {
  private readonly key: Buffer;
  private readonly sender = randomBytes(SENDER_BYTES).toString('hex');
  private readonly replays: ReplayWindow;
  private count = 0;

  constructor(
    secret: string,
    /** The name of this run of the process, as others hear it. */
    private readonly run: string,
    /** How far the clocks of two peers may lie apart, and so how long a proof holds. */
    private readonly clockMsMax: number,
    private readonly now: () => number = Date.now,
  ) {
    this.replays = new ReplayWindow(2 * clockMsMax);
    this.key = Buffer.from(hkdfSync('sha256', secret, '', 'distributedcloud forwarded request 3', KEY_BYTES));
  }

  /** The header's value for a request that a node passes on to a run of a process. */
  sign({ number, run, takesTickets }: Passing, request: IncomingMessage): string {
    const { method, url } = request;
    const count = (this.count += 1).toString(16).padStart(COUNT_DIGITS, '0');
    const said = `${number}.${takesTickets ? TAKES : PASSES}.${this.now()}.${this.sender}${count}.${run}.${written(clientOf(request))}`;
    return `${said}.${this.mac(said, method, url)}`;
  }

  /**
   * Which peer passed a request on, and for whom; undefined if none did, or none that can prove it. `other-run`: a peer did, or whoever heard it,
   * and not for this run.
   */
  verify({ headers, method, url }: IncomingMessage): Forwarding | 'other-run' | undefined {
    const given = headers[FORWARD_HEADER];
    const match = typeof given === 'string' ? FORM.exec(given) : null;
    if (match === null) return undefined;
    const [text, number, mode, time, nonce, run, client, mac] = match as unknown as Proof;
    if (Math.abs(Number(time) - this.now()) > this.clockMsMax) return undefined;
    const expected = this.mac(text.slice(0, -mac.length - 1), method, url);
    if (!isSame(Buffer.from(expected), Buffer.from(mac))) return undefined;
    if (run !== this.run) return 'other-run';
    if (!this.replays.admit(nonce, this.now())) return undefined;
    const forwarding = { node: Number(number), client: parsed(client) };
    if (mode === PASSES) return forwarding;
    const tickets: TicketProver = {
      prove: (ticket) => this.macOf(TICKET, text, ticket),
      isReport: (report, proof) => isSame(Buffer.from(this.proveReport(text, report)), Buffer.from(proof)),
    };
    return { ...forwarding, tickets };
  }

  /** Whether a ticket is the gateway's answer to the request with this header, of which `proof` came with it. */
  isTicketOf(header: string, ticket: Uint8Array, proof: string): boolean {
    return isSame(Buffer.from(this.macOf(TICKET, header, ticket)), Buffer.from(proof));
  }

  /** Proves a report of what was stored for the request with this header. */
  proveReport(header: string, report: Uint8Array): string {
    return this.macOf(REPORT, header, report);
  }

  private macOf(what: string, header: string, bytes: Uint8Array): string {
    return createHmac('sha256', this.key).update(`${what}\n${header}\n`).update(bytes).digest('base64url');
  }

  private mac(said: string, method: string | undefined, url: string | undefined): string {
    return createHmac('sha256', this.key).update(`${said}\n${method}\n${url}`).digest('base64url');
  }
}

function written({ address, isLocal }: ClientPlace): string {
  return Buffer.from(`${isLocal ? LOCAL : REMOTE}${address}`).toString('base64url');
}

function parsed(client: string): ClientPlace {
  const text = Buffer.from(client, 'base64url').toString();
  return { address: text.slice(1), isLocal: text.startsWith(LOCAL) };
}
