/** A table in a page, between `<!-- model: NAME -->` and `<!-- end -->`. */
const PLACE = /(<!-- model: ([\w-]+) -->\n).*?(\n<!-- end -->)/gs;

/** The page with other tables in their places. @throws RangeError if a place has no table, or a table no place */
export function withTables(page: string, tables: ReadonlyMap<string, string>): string {
  const placed = new Set<string>();
  const result = page.replace(PLACE, (_, begin: string, name: string, end: string) => {
    const table = tables.get(name);
    if (table === undefined) throw new RangeError(`there is no table "${name}"`);
    placed.add(name);
    return `${begin}\n${table}\n${end}`;
  });
  const left = [...tables.keys()].filter((name) => !placed.has(name));
  if (left.length > 0) throw new RangeError(`the page has no place for ${left.join(', ')}`);
  return result;
}
