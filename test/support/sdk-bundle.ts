import { gzipSync } from 'node:zlib';
import { build, type BuildOptions } from 'esbuild';

const OPTIONS: BuildOptions = {
  entryPoints: ['src/sdk/index.ts'],
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2023',
  minify: true,
  write: false,
};

/** The SDK as a web page loads it: one file, that needs nothing of Node.js. */
export async function bundleSdk(external: readonly string[] = []): Promise<string> {
  const { outputFiles, warnings } = await build({ ...OPTIONS, external: [...external] });
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join('\n'));
  return outputFiles?.[0]?.text ?? '';
}

/** Bytes of it on the way, without the library of the login, most of which is WebAssembly. */
export async function gzippedBytes(): Promise<number> {
  return gzipSync(await bundleSdk(['@serenity-kit/opaque']), { level: 9 }).length;
}
