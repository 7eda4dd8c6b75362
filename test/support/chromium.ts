import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Of Debian's package `chromium`; playwright must not download a browser of its own. */
const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox', // it refuses to run as root with one
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', // whatever it wants elsewhere fails, and is seen to
];

/** Whether there is a browser; if not, it is said what is left out for it. */
export function hasChromium(what: string): boolean {
  const isInstalled = existsSync(CHROMIUM);
  if (!isInstalled) process.stderr.write(`SKIPPED: ${what}, for there is no ${CHROMIUM} (apt-get install -y chromium)\n`);
  return isInstalled;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/**
 * Notes what a page says or does that it should not.
 * @param isExpected what the browser says by itself of an answer that is as it should be
 */
export function watchPage(
  page: Page,
  complaints: string[],
  isExpected: (text: string, url: string) => boolean = () => false,
): void {
  page.on('console', (message) => {
    const isComplaint = message.type() === 'error' || message.type() === 'warning';
    if (isComplaint && !isExpected(message.text(), message.location().url)) complaints.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol.startsWith('http') && hostname !== '127.0.0.1') complaints.push(`request: ${request.url()}`);
  });
  page.on('requestfailed', (request) => {
    const failure = request.failure()?.errorText ?? '';
    // Said now and then of an answer that the page has read to its end.
    if (failure !== 'net::ERR_ABORTED') complaints.push(`failed: ${request.url()} ${failure}`);
  });
}
