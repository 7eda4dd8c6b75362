import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import { hasChromium, launchChromium, watchPage } from '../support/chromium.js';
import { initAdmin } from '../support/accounts.js';
import { Client, type FileJson, type PageJson } from '../support/client.js';
import { TestServer } from '../support/server.js';

const isInstalled = hasChromium('Swagger UI in a browser');

let server: TestServer;
let browser: Browser;
let page: Page;
let folder: string;
/** What the page did that it should not have done. */
const complaints: string[] = [];

async function open(): Promise<void> {
  server = await TestServer.start();
  folder = await mkdtemp(join(tmpdir(), 'dcloud-docs-'));
  browser = await launchChromium();
  page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
  watchPage(page, complaints);
  await page.goto(`${server.url}/docs`);
}

/** The block of an operation, unfolded. */
async function operation(tag: string, id: string): Promise<Locator> {
  const block = page.locator(`#operations-${tag}-${id}`);
  await block.waitFor();
  if (!(await block.locator('.opblock-body').isVisible())) await block.locator('.opblock-summary-control').click();
  await block.locator('.btn.execute').waitFor();
  return block;
}

/** Presses Execute and gives the status that the page shows; an answer that is there already is cleared away, so that none is taken for another. */
async function execute(block: Locator): Promise<number> {
  const clear = block.locator('.btn-clear');
  if (await clear.isVisible()) await clear.click();
  await block.locator('.btn.execute').click();
  return Number(await block.locator('.live-responses-table tbody .response-col_status').first().innerText());
}

async function shownJson<Json>(block: Locator): Promise<Json> {
  return JSON.parse(await block.locator('.live-responses-table tbody .response-col_description pre').first().innerText()) as Json;
}

async function newFile(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

async function download(id: string): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const block = await operation('files', 'downloadFile');
  await block.locator('tr[data-param-name="id"] input').fill(id);
  expect(await execute(block)).toBe(200);
  const offered = page.waitForEvent('download');
  await block.locator('.live-responses-table a[download]').click();
  const file = await offered;
  return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
}

(isInstalled ? describe : describe.skip)('Swagger UI at /docs, in a browser', () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256));
  let stored: FileJson;

  beforeAll(open);

  afterAll(async () => {
    await browser.close();
    await server.remove();
    await rm(folder, { recursive: true });
  });

  it('uploads the file that is chosen, as raw bytes', async () => {
    const block = await operation('files', 'uploadFile');
    await block.locator('tr[data-param-name="name"] input').fill('from the page.bin');
    await block.locator('input[type=file]').setInputFiles(await newFile('chosen.bin', bytes));
    expect(await execute(block)).toBe(201);
    stored = await shownJson<FileJson>(block);
    expect(stored).toMatchObject({ name: 'from the page.bin', size: bytes.length, contentType: 'application/octet-stream' });
  });

  it('lists it, with nothing filled in', async () => {
    const block = await operation('files', 'listFiles');
    expect(await execute(block)).toBe(200);
    const { items } = await shownJson<PageJson>(block);
    expect(items.map(({ id }) => id)).toEqual([stored.id]);
  });

  it('downloads it: the same bytes under its name', async () => {
    expect(await download(stored.id)).toEqual({ name: 'from the page.bin', bytes });
  });

  it('uploads a file as a form, which tells its name and type', async () => {
    const block = await operation('files', 'uploadFile');
    await block.locator('tr[data-param-name="name"] input').fill('');
    await block.locator('.opblock-section-request-body select.content-type').selectOption('multipart/form-data');
    // The input of the form, which comes in the place of the one that was there.
    const input = block.locator('tr[data-property-name="file"] input[type=file]');
    await input.setInputFiles(await newFile('größe.txt', Buffer.from('as a form')));
    expect(await execute(block)).toBe(201);
    const file = await shownJson<FileJson>(block);
    expect(file).toMatchObject({ name: 'größe.txt', size: 9, contentType: 'text/plain' });
    expect((await new Client(server.url).bytes(file.id)).toString()).toBe('as a form');
  });

  it('shows the nodes, and the code of an error', async () => {
    expect(await execute(await operation('nodes', 'listNodes'))).toBe(200);
    const block = await operation('files', 'deleteFile');
    await block.locator('tr[data-param-name="id"] input').fill(stored.id);
    expect(await execute(block)).toBe(204);
    expect(await execute(block)).toBe(404);
    expect((await shownJson<{ code: string }>(block)).code).toBe('file-not-found');
  });

  it('sends the token that is given under Authorize, once the store has accounts', async () => {
    const token = await initAdmin(server.url, server.storage);
    const block = await operation('files', 'listFiles');
    expect(await execute(block)).toBe(401);
    await page.locator('.scheme-container button.authorize').click();
    const dialog = page.locator('.dialog-ux .auth-container');
    await dialog.locator('input').fill(token);
    await dialog.locator('button.authorize').click();
    await dialog.locator('button.btn-done').click();
    expect(await execute(block)).toBe(200);
    const { items } = await shownJson<PageJson>(block);
    expect(items.map(({ name }) => name)).toEqual(['größe.txt']); // what was stored before belongs to the first administrator
    expect(await execute(await operation('accounts', 'whoami'))).toBe(200);
  });

  it('asks nobody else for anything, and logs no error', async () => {
    // Chromium itself logs the answers 404 and 401, which the tests above ask for.
    expect(complaints).toEqual([expect.stringContaining('404 (Not Found)'), expect.stringContaining('401 (Unauthorized)')]);
    await page.evaluate("fetch('http://elsewhere.example/').catch(() => undefined)");
    expect(complaints).toContain('request: http://elsewhere.example/'); // a request to another place would have been seen
  });
});
