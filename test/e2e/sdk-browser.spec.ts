import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { initAdmin } from '../support/accounts.js';
import { hasChromium, launchChromium, watchPage } from '../support/chromium.js';
import { bundleSdk, gzippedBytes } from '../support/sdk-bundle.js';
import { TestServer } from '../support/server.js';

const CONTENT_BYTES = 64 * 1024 * 1024;
const GZIPPED_BYTES_MAX = 250 * 1024;

const isInstalled = hasChromium('the SDK in a browser');

let server: TestServer;
let pages: Server;
let browser: Browser;
let page: Page;
/** What the page did that it should not have done. */
const complaints: string[] = [];

/** A bare page of another origin than the server's, with the bundle and nothing else. */
async function servePage(): Promise<string> {
  const script = await bundleSdk();
  pages = createServer((request, response) => {
    const isScript = request.url === '/sdk.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><title>bare</title><link rel="icon" href="data:,">');
  });
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
}

async function open(): Promise<void> {
  const origin = await servePage();
  server = await TestServer.start({ config: { registration: 'open', cors_origins: [origin] } });
  await initAdmin(server.url, server.storage);
  browser = await launchChromium();
  page = await browser.newPage();
  // The root of a drive that is not there yet.
  watchPage(page, complaints, (text, url) => text.includes('404 (Not Found)') && url.endsWith('/drive/root'));
  await page.goto(origin);
}

/** What the page does: a user's first visit, from the registration to a link that somebody without an account opens. */
const VISIT = `async ([url, bytes]) => {
  const { connect, sourceOfBlob } = await import('/sdk.js');
  const content = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(content.subarray(at, at + 65536));
  const sha = async (whole) => new Uint8Array(await crypto.subtle.digest('SHA-256', whole)).toHex();
  const collect = async (body) => new Uint8Array(await new Blob(await Array.fromAsync(body)).arrayBuffer());
  const { drive, recoveryCode } = await (await connect(url)).register({ userName: 'ada', password: 'a long password' });
  const progress = [];
  const entry = await drive.upload('/film.bin', sourceOfBlob(new Blob([content])), { onProgress: (event) => progress.push(event) });
  const whole = await drive.download('/film.bin');
  const downloaded = await sha(await collect(whole.body));
  const part = await collect((await drive.download('/film.bin', { from: 20_000_000, to: 20_100_000 })).body);
  const { url: link } = await drive.link('/film.bin', { password: 'shown twice' });
  const view = await (await connect(url)).openLink(link, { password: 'shown twice' });
  const linked = await sha(await collect((await view.download('/')).body));
  const again = await (await connect(url)).login({ userName: 'ada', password: 'a long password' });
  const names = [];
  for await (const { name } of again.list('/')) names.push(name);
  return {
    expected: await sha(content), expectedPart: await sha(content.slice(20_000_000, 20_100_000)), part: await sha(part),
    downloaded, linked, names, size: entry.size, codeLength: recoveryCode.length, progress: progress.map(({ sentBytes }) => sentBytes),
  };
}`;

(isInstalled ? describe : describe.skip)('the SDK in a browser', () => {
  beforeAll(open);

  afterAll(async () => {
    await browser.close();
    pages.close();
    await server.remove();
  });

  it('registers, uploads and downloads 64 MiB, and opens a link', async () => {
    const visit = `(${VISIT})(${JSON.stringify([server.url, CONTENT_BYTES])})`;
    const seen = await page.evaluate<Record<string, unknown>>(visit);
    expect(seen).toMatchObject({
      downloaded: seen['expected'],
      linked: seen['expected'],
      part: seen['expectedPart'],
      names: ['film.bin'],
      size: CONTENT_BYTES,
    });
    // How many events there are is a matter of time: a part is told of when it has arrived, and no more than ten times a second.
    const sent = seen['progress'] as number[];
    expect(sent.length).toBeGreaterThan(1);
    expect(sent).toEqual(sent.toSorted((one, other) => one - other));
    expect(sent.at(-1)).toBe(CONTENT_BYTES);
    expect(complaints).toEqual([]);
  });
});

describe('the bundle of the SDK', () => {
  it('has less than 250 KB on the way, without the library of the login', async () => {
    expect(await gzippedBytes()).toBeLessThan(GZIPPED_BYTES_MAX);
  });
});
