import { existsSync } from 'node:fs';

/** The directory of package.json. Looked for, because the build puts what is in one place of the sources into files of other depths. */
function packageRoot(): URL {
  let directory = new URL('.', import.meta.url);
  while (!existsSync(new URL('package.json', directory))) {
    const above = new URL('..', directory);
    if (above.href === directory.href) throw new Error('the package.json of dcloud is missing');
    directory = above;
  }
  return directory;
}

/** A file that belongs to the program. @param path from the directory of package.json */
export function packageFile(path: string): URL {
  return new URL(path, packageRoot());
}
