/**
 * `npm run bench:browser`: how fast the SDK seals in headless Chromium, as a ratio to WebCrypto's AES-GCM alone in the same page.
 * Options: `--mib N` (256: sealed in each run), `--pairs N` (5).
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { format, median } from './figures.ts';

const { values } = parseArgs({
  options: { mib: { type: 'string', default: '256' }, pairs: { type: 'string', default: '5' } },
});

const entry = new URL('browser/sealing.ts', import.meta.url).pathname;
const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', platform: 'browser', write: false });
const script = outputFiles[0]?.text ?? '';
const server = createServer((request, response) => {
  response.setHeader('Content-Type', request.url === '/bundle.js' ? 'text/javascript' : 'text/html');
  response.end(request.url === '/bundle.js' ? script : '<!doctype html><script type="module" src="/bundle.js"></script>');
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction('typeof pair === "function"');
  await page.evaluate('pair(32)'); // compiled by then
  const pairs: (readonly [number, number])[] = [];
  for (let run = 0; run < Number(values.pairs); run += 1) pairs.push(await page.evaluate(`pair(${values.mib})`));
  const [product, floor] = [median(pairs.map(([mine]) => mine)), median(pairs.map(([, theirs]) => theirs))];
  const ratio = median(pairs.map(([mine, theirs]) => mine / theirs));
  console.log('| sealing in Chromium | MB/s | AES-GCM alone, MB/s | ratio |\n|---|---|---|---|');
  console.log(`| ${values.mib} MiB, parts of 16 MiB | ${format(product)} | ${format(floor)} | ${ratio.toFixed(2)} |`);
} finally {
  await browser.close();
  server.close();
}
