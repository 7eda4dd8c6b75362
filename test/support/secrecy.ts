/** What must not be seen where, and the search for it. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  request as send,
  type ClientRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { relative } from 'node:path';
import { filesUnder, formsOf, readIfThere } from './storage-files.js';

/** Shorter ones are found by chance, in as many bytes as are searched. */
const FORM_BYTES_MIN = 12;
const PREFIX_BYTES = 3;

/** Something secret. */
export interface Needle {
  readonly label: string;
  readonly plain: string | Uint8Array;
}

/** Bytes to be searched, and where they were. */
export interface Haystack {
  readonly where: string;
  readonly bytes: Uint8Array;
}

interface Form {
  readonly label: string;
  readonly bytes: Buffer;
}

interface Hit {
  readonly label: string;
  readonly at: number;
}

/** Digits alone: neither another case nor a percent sign nor an escape of JSON would hide them. */
export function marker(): string {
  return BigInt(`0x${randomBytes(14).toString('hex')}`)
    .toString()
    .padStart(34, '0');
}

/** The needle, and its hash: the server must not learn that of a plaintext either. */
export function withDigest({ label, plain }: Needle): readonly Needle[] {
  return [
    { label, plain },
    { label: `SHA-256 of ${label}`, plain: createHash('sha256').update(plain).digest() },
  ];
}

/** Finds any of many needles in any of their forms, in one pass over the bytes whatever their number. */
export class NeedleSearch {
  private readonly prefixes = new Uint8Array(2 ** 21);
  private readonly forms = new Map<number, Form[]>();

  constructor(needles: Iterable<Needle>) {
    for (const { label, plain } of needles) {
      for (const bytes of formsOf(plain)) this.add({ label, bytes });
    }
  }

  /** `label: where` of everything that was found, each once. */
  find(haystacks: readonly Haystack[]): readonly string[] {
    const found = new Set<string>();
    for (const { where, bytes } of haystacks) for (const { label } of this.hits(bytes)) found.add(`${label}: ${where}`);
    return [...found].toSorted();
  }

  hits(bytes: Uint8Array): readonly Hit[] {
    const hits: Hit[] = [];
    const { prefixes } = this;
    let prefix = 0;
    for (let end = 0; end < bytes.length; end += 1) {
      prefix = ((prefix << 8) | bytes[end]!) & 0xff_ff_ff;
      const at = end - PREFIX_BYTES + 1;
      if ((prefixes[prefix >> 3]! & (1 << (prefix & 7))) === 0 || at < 0) continue;
      for (const { label, bytes: form } of this.forms.get(prefix)!)
        if (form.equals(bytes.subarray(at, at + form.length))) hits.push({ label, at });
    }
    return hits;
  }

  private add(form: Form): void {
    if (form.bytes.length < FORM_BYTES_MIN) throw new RangeError(`${form.label} is too short to be searched for`);
    const prefix = form.bytes.readUIntBE(0, PREFIX_BYTES);
    this.prefixes[prefix >> 3]! |= 1 << (prefix & 7);
    const same = this.forms.get(prefix);
    if (same === undefined) this.forms.set(prefix, [form]);
    else same.push(form);
  }
}

/** As somebody would write it who does not know of the search: with neighbours, of which those in base64 have a part. */
const ENCODINGS: Readonly<Record<string, (plain: string | Uint8Array) => Buffer>> = {
  raw: (plain) => Buffer.from(plain as string),
  hex: (plain) => Buffer.from(Buffer.from(plain as string).toString('hex')),
  'capital hex': (plain) =>
    Buffer.from(
      Buffer.from(plain as string)
        .toString('hex')
        .toUpperCase(),
    ),
  ...Object.fromEntries(
    (['base64', 'base64url'] as const).flatMap((alphabet) =>
      [0, 1, 2].map((before) => [
        `${alphabet} behind ${before}`,
        (plain: string | Uint8Array) => {
          const neighboured = Buffer.concat([randomBytes(before), Buffer.from(plain as string), randomBytes(4)]);
          return Buffer.from(neighboured.toString(alphabet));
        },
      ]),
    ),
  ),
};

/**
 * Puts every needle, in every encoding, in between these bytes, and tells what a search does not find of that.
 * @param wanted what is searched for: else all of them
 */
export function missedPlants(needles: readonly Needle[], bytes: Uint8Array, wanted = needles): readonly string[] {
  const plants = needles.flatMap(({ label, plain }) =>
    Object.entries(ENCODINGS).map(([encoding, encode]) => ({ label, encoding, bytes: encode(plain) })),
  );
  const step = Math.floor(bytes.length / plants.length);
  const pieces: Uint8Array[] = [];
  const planted: { readonly label: string; readonly encoding: string; readonly from: number; readonly to: number }[] = [];
  let length = 0;
  for (const [index, plant] of plants.entries()) {
    const piece = bytes.subarray(index * step, (index + 1) * step);
    const from = length + piece.length;
    length = from + plant.bytes.length;
    pieces.push(piece, plant.bytes);
    planted.push({ label: plant.label, encoding: plant.encoding, from, to: length });
  }
  const found = new Map<string, number[]>();
  for (const { label, at } of new NeedleSearch(wanted).hits(Buffer.concat(pieces))) {
    const offsets = found.get(label);
    if (offsets === undefined) found.set(label, [at]);
    else offsets.push(at);
  }
  return planted
    .filter(({ label, from, to }) => found.get(label)?.some((at) => at >= from && at < to) !== true)
    .map(({ label, encoding }) => `${label}, ${encoding}`);
}

/** Every file under a directory, with its path below it in front of its content. */
export async function filesAsHaystacks(directory: string): Promise<readonly Haystack[]> {
  const paths = await filesUnder(directory);
  return Promise.all(
    paths.map(async (path) => {
      const where = relative(directory, path);
      return { where, bytes: Buffer.concat([Buffer.from(`${where}\0`), await readIfThere(path)]) };
    }),
  );
}

/** A request and its answer: what was said, without the framing of the connection. */
export class Exchange {
  answerHead = '';
  isAnswered = false;
  private readonly sent: Uint8Array[] = [];
  private readonly answered: Uint8Array[] = [];

  constructor(
    readonly method: string,
    readonly target: string,
    readonly head: string,
  ) {}

  get request(): Buffer {
    return Buffer.concat([Buffer.from(this.head), ...this.sent]);
  }

  get answer(): Buffer {
    return Buffer.concat([Buffer.from(this.answerHead), ...this.answered]);
  }

  /** Passes a body on, whole, and keeps it. */
  async keep(which: 'sent' | 'answered', body: AsyncIterable<Uint8Array>): Promise<Buffer> {
    for await (const chunk of body) this[which].push(chunk);
    return Buffer.concat(this[which]);
  }

  get haystacks(): readonly Haystack[] {
    const where = `${this.method} ${this.target}`;
    return [
      { where, bytes: this.request },
      { where: `answer to ${where}`, bytes: this.answer },
    ];
  }
}

/** Stands before a server and remembers every byte of what passes: heads, and bodies when they are put together. */
export class RecordingProxy {
  readonly exchanges: Exchange[] = [];
  /** Called when an answer has arrived, before it is passed on. */
  behind: (exchange: Exchange) => void = () => undefined;
  private readonly server: Server;

  private constructor(
    private readonly target: URL,
    readonly url: string,
    server: Server,
  ) {
    this.server = server;
  }

  static async start(target: string): Promise<RecordingProxy> {
    const server = createServer({ requestTimeout: 0 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    const proxy = new RecordingProxy(new URL(target), `http://127.0.0.1:${address.port}`, server);
    server.on('request', (request, response) => void proxy.serve(request, response));
    return proxy;
  }

  get haystacks(): readonly Haystack[] {
    return this.exchanges.flatMap(({ haystacks }) => haystacks);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', rawHeaders } = request;
    const exchange = new Exchange(method, url, headOf(`${method} ${url}`, rawHeaders));
    this.exchanges.push(exchange);
    response.on('error', () => undefined); // whoever asked has gone
    try {
      const body = await exchange.keep('sent', request);
      const answer = await this.ask(request, body);
      const status = answer.statusCode ?? 0;
      exchange.answerHead = headOf(String(status), answer.rawHeaders);
      const answered = await exchange.keep('answered', answer);
      exchange.answerHead += headOf('', answer.rawTrailers);
      exchange.isAnswered = true;
      this.behind(exchange);
      response.writeHead(status, answer.rawHeaders).end(answered);
    } catch {
      response.destroy();
    }
  }

  private async ask({ method, url, rawHeaders }: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    const { hostname, port } = this.target;
    const asked: ClientRequest = send({ hostname, port, method, path: url, headers: rawHeaders, agent: false });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return answer;
  }
}

function headOf(line: string, rawHeaders: readonly string[]): string {
  const lines = Array.from({ length: rawHeaders.length / 2 }, (_, at) => `${rawHeaders[2 * at]!}: ${rawHeaders[2 * at + 1]!}`);
  return `${[line, ...lines].join('\r\n')}\r\n\r\n`;
}
