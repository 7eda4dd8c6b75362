/** What `fetch` takes as a body. */
export type Body = NonNullable<RequestInit['body']>;

/** A file's record as the API answers it. */
export interface FileJson {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly contentType: string;
  readonly versionId: string;
  readonly etag: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface PageJson {
  readonly items: readonly FileJson[];
  readonly nextCursor: string | null;
}

/** The few calls that most tests make, over a real connection. Anything unusual a test does with `fetch` or a socket itself. */
export class Client {
  readonly url: string;
  private readonly listMsMax: number;
  private readonly token: string | undefined;

  constructor(url: string, listMsMax = 30_000, token?: string) {
    this.url = url;
    this.listMsMax = listMsMax;
    this.token = token;
  }

  /** Any call, as the account of the token. */
  call(path: string, init: RequestInit = {}): Promise<Response> {
    const known = this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` };
    return fetch(`${this.url}${path}`, { ...init, headers: { ...known, ...(init.headers as Record<string, string>) } });
  }

  /** A call with a JSON body. */
  json(method: string, path: string, body: unknown): Promise<Response> {
    return this.call(path, { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
  }

  async put(name: string, body: Body, headers: Record<string, string> = {}): Promise<FileJson> {
    const response = await this.tryPut(name, body, headers);
    if (response.status !== 201) throw new Error(`PUT answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as FileJson;
  }

  tryPut(name: string, body: Body, headers: Record<string, string> = {}): Promise<Response> {
    return this.call(`/files?name=${encodeURIComponent(name)}`, {
      method: 'PUT',
      body,
      headers,
      duplex: 'half',
    });
  }

  replace(id: string, body: Body, headers: Record<string, string> = {}): Promise<Response> {
    return this.call(`/files/${id}`, { method: 'PUT', body, headers, duplex: 'half' });
  }

  get(id: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.call(`/files/${id}`, { headers });
  }

  async bytes(id: string, headers: Record<string, string> = {}): Promise<Buffer> {
    const response = await this.get(id, headers);
    if (!response.ok) throw new Error(`GET answered ${response.status}: ${await response.text()}`);
    return Buffer.from(await response.arrayBuffer());
  }

  remove(id: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.call(`/files/${id}`, { method: 'DELETE', headers });
  }

  async list(query = ''): Promise<PageJson> {
    const response = await this.call(`/files/list${query}`, { signal: AbortSignal.timeout(this.listMsMax) });
    return (await response.json()) as PageJson;
  }

  /** All files, page by page. */
  async listAll(): Promise<readonly FileJson[]> {
    const files: FileJson[] = [];
    let cursor = '';
    for (;;) {
      const page = await this.list(`?limit=1000${cursor}`);
      files.push(...page.items);
      if (page.nextCursor === null) return files;
      cursor = `&cursor=${page.nextCursor}`;
    }
  }
}
