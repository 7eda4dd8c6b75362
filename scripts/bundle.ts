/**
 * A part of `npm run build`: puts the built program and the packages that it uses into few files, `dist/bundle`. A start resolves and
 * reads a few files then instead of 900, which is half of its processor time.
 */
import { readFile, rename, rm } from 'node:fs/promises';
import { build, type Plugin } from 'esbuild';

const OUT = 'dist/bundle';
const NEW = 'dist/bundle.new';

/** Packages that are not there, or that are more than code: native, or files beside it. Each is looked up when it is needed. */
const EXTERNAL = [
  'lmdb',
  'pg-native',
  'swagger-ui-dist',
  '@fastify/static',
  '@grpc/*',
  '@mikro-orm/core',
  '@nestjs/axios',
  '@nestjs/microservices',
  '@nestjs/mongoose',
  '@nestjs/sequelize',
  '@nestjs/typeorm',
  '@nestjs/websockets',
  'class-transformer/storage',
];

/** What CommonJS packages expect to find, in modules. */
const BANNER = `import { createRequire as bundle$createRequire } from 'node:module';
const require = bundle$createRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = import.meta.dirname;`;

/**
 * Some parts of Nest look for others with a `require` that they make themselves, and would get them a second time, from `node_modules`:
 * validators of one would not be known to the other. Without it the bundler sees what they ask for.
 */
const OWN_REQUIRE = 'const require = createRequire(import.meta.url);';
const WITH_OWN_REQUIRE = /node_modules[\\/]@nestjs[\\/](mapped-types|swagger|terminus)[\\/]/;

/**
 * The bundler gives classes other names where two have the same, or where one speaks of itself; and names of classes are those of schemas in
 * the document of the API, and of who logs. So each class says its own. (`keepNames` does that for all functions, at a call for each one that
 * a request makes.)
 */
const CLASS = /^(?:export )?(?:let \w+ = (?:\w+ = )?)?class (\w+)(?: extends [^{]+)? \{/gm;

const sources: Plugin = {
  name: 'sources',
  setup(bundling) {
    bundling.onLoad({ filter: /\.[cm]?js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const named = text.replaceAll(CLASS, `$& static { Object.defineProperty(this, 'name', { value: '$1' }); }`);
      return { contents: WITH_OWN_REQUIRE.test(path) ? named.replace(OWN_REQUIRE, '') : named };
    });
  },
};

await rm(NEW, { recursive: true, force: true });
await build({
  entryPoints: ['dist/main.js'],
  outdir: NEW,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  sourcemap: true,
  sourcesContent: false,
  external: EXTERNAL,
  alias: { '@serenity-kit/opaque': '@serenity-kit/opaque/esm/index.js' }, // one that is loaded by need has no names in CommonJS
  banner: { js: BANNER },
  plugins: [sources],
  logLevel: 'warning',
  logOverride: { 'duplicate-object-key': 'silent' }, // what the plugin of @nestjs/swagger writes beside what stands in the source
});
// Files of an earlier build have other names.
await rm(OUT, { recursive: true, force: true });
await rename(NEW, OUT);
