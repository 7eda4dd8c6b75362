import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Access } from '../http/access.js';

/** What a person reads who opens a link in a browser, which cannot: only programs that unseal what they get can. The same for all links, and none. */
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>A link of DistributedCloud</title>
<h1>This link is not for a browser</h1>
<p>Somebody wants to show you a file or a folder. It is sealed, and this server cannot read it, so there is no page that shows it.</p>
<p>The command line of DistributedCloud opens it, without an account:</p>
<pre>dcloud open</pre>
<p>It asks for the link. Give it the whole address as you got it, with what stands behind the <code>#</code>, which is the key.
Your browser has not sent that part to this server. Whoever has the whole address can read what it leads to: keep it like a password.</p>
<p>If you cannot use the command line, ask who sent you the link for the file itself.</p>
</html>
`;

/** The address of a link as people pass it on: `/l/{id}#{secret}`. */
@ApiExcludeController()
@Access('open')
@Controller()
export class LinkPageController {
  /** A wildcard, for nothing behind `/l/` is looked at, or kept in a log: where the `#` was escaped on the way, the secret is there. */
  @Get('l/*link')
  @Header('Content-Type', 'text/html; charset=utf-8')
  @Header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'")
  @Header('Referrer-Policy', 'no-referrer')
  @Header('X-Content-Type-Options', 'nosniff')
  show(): string {
    return PAGE;
  }
}
