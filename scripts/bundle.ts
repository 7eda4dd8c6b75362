/**
 * A part of `npm run build`: puts the built program and the packages that it uses into few files, `dist/bundle`. A start resolves and
 * reads a few files then instead of 900, which is half of its processor time.
 */
import { readFile, rm } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { build, type Plugin } from 'esbuild';

const OUT = 'dist/bundle';

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
const oneOfEach: Plugin = {
  name: 'one-of-each',
  setup(bundling) {
    bundling.onLoad({ filter: /node_modules[\\/]@nestjs[\\/](mapped-types|swagger|terminus)[\\/].*\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      return { contents: text.replace('const require = createRequire(import.meta.url);', '') };
    });
  },
};

/**
 * A decorated class is an expression with a name of its own, which the bundler would change, and so that of a schema in the document of the
 * API. Without one it has that of its variable. (To keep all names costs a call for each function that a request makes.)
 */
const namesOfClasses: Plugin = {
  name: 'names-of-classes',
  setup(bundling) {
    bundling.onLoad({ filter: /\.js$/ }, async ({ path }) => {
      if (!path.startsWith(resolve('dist') + sep)) return undefined;
      const text = await readFile(path, 'utf8');
      const classes = /^let (\w+) = (?:(\w+) = )?class \1 (.*)\{$/gm;
      const contents = text.replaceAll(classes, (_, name: string, alias: string | undefined, heritage: string) => {
        const ofAlias = alias === undefined ? '' : ` static { ${alias} = this; }`;
        return `let ${name} = class ${heritage}{${ofAlias}`;
      });
      return { contents };
    });
  },
};

await rm(OUT, { recursive: true, force: true }); // files of an earlier build have other names
await build({
  entryPoints: ['dist/main.js'],
  outdir: OUT,
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
  plugins: [oneOfEach, namesOfClasses],
  logLevel: 'warning',
  logOverride: { 'duplicate-object-key': 'silent' }, // what the plugin of @nestjs/swagger writes beside what stands in the source
});
