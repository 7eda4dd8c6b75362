import { DomainError } from './errors.js';

declare const brand: unique symbol;
/** A user's name in the one form in which it is compared and kept. */
export type UserName = string & { readonly [brand]: 'UserName' };

const CHARACTERS_MAX = 64;
const ALLOWED = /^[\p{L}\p{M}\d](?:[\p{L}\p{M}\d]|[._@+-](?=[\p{L}\p{M}\d])){0,63}$/u;

/** Scripts that people write names in; a name is of one of them, since letters of two that look alike would make two names that look alike. */
const SCRIPTS = [
  ['Latin'],
  ['Greek'],
  ['Cyrillic'],
  ['Armenian'],
  ['Hebrew'],
  ['Arabic'],
  ['Devanagari'],
  ['Bengali'],
  ['Tamil'],
  ['Thai'],
  ['Georgian'],
  ['Ethiopic'],
  ['Hangul'],
  ['Han', 'Hiragana', 'Katakana'],
].map((scripts) => new RegExp(`^(?:${['Common', ...scripts].map((name) => `\\p{Script_Extensions=${name}}`).join('|')})*$`, 'u'));

/** Latin is what is on the keyboards of Europe: the rest of it (ĸ, ɑ, ⱥ, …) is there to be taken for something else. */
const LATIN = /^[\p{Script=Common}a-zß-öø-ıĴ-ķĹ-žșț]*$/u;

/** Letters of other scripts that look like Latin ones; a name of nothing else could be taken for a Latin name. */
const LATIN_LOOKALIKES = /^[\d._@+\-аеорсхуіјѕԁһӏԛԝгвмнткьαονρυικτχωγβηειցոսհօզյ]*$/u;

/** Marks are a part of the letters of some scripts; on others they make letters that normalisation did not join, and so twins. */
const MARKED = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\d._@+-]\p{M}/u;

/**
 * The form in which a user's name is compared and kept: compatible characters are one (NFKC), case makes no difference. Names that could be taken
 * for another one are refused: letters of two scripts, look-alikes, marks on what needs none, signs but single ones of `._@+-` inside.
 * @throws DomainError `invalid-user-name`
 */
export function parseUserName(text: string): UserName {
  const name = fold(text);
  const reason = reasonAgainst(name);
  if (reason !== undefined) throw new DomainError('invalid-user-name', reason);
  return name as UserName;
}

function reasonAgainst(name: string): string | undefined {
  if (!name.isWellFormed() || name.length > CHARACTERS_MAX) return `a user name has 1 to ${CHARACTERS_MAX} characters`;
  if (!ALLOWED.test(name)) return 'a user name has letters, digits and single . _ @ + - between them';
  if (MARKED.test(name)) return 'a user name has no marks that do not belong to its letters';
  if (!SCRIPTS.some((script) => script.test(name))) return 'a user name has letters of one script';
  const isLatin = /[a-z]/.test(name) || /\p{Script=Latin}/u.test(name);
  if (isLatin && !LATIN.test(name)) return 'a user name has no letters that look like others';
  if (!isLatin && /\p{L}/u.test(name) && LATIN_LOOKALIKES.test(name))
    return 'the user name looks like another one in Latin letters';
  return undefined;
}

/** Full case folding by way of upper case (ß is ss), and the two small sigmas as one. A second time, for what folding undid. */
function fold(text: string): string {
  const once = (part: string): string =>
    part.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFKC');
  return once(once(text));
}
