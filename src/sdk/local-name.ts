/** Names that Windows keeps for devices, whatever their extension. */
const DEVICES = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)/iu;
/** Separators, what shells and Windows give a meaning, controls, and signs that hide what a name really is: bidirectional and invisible ones. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}/\\:*?"<>|\u2044\u2215\u29f8\uff0f\uff3c\ufe68]/gu;
/** The longest name of a file that common file systems take, in bytes. */
const NAME_BYTES_MAX = 255;

/**
 * The name under which something is put on a local disk. Whoever may write to a shared folder chose the original, so it never leaves
 * the folder that it is put in, never is a device, and looks like what it is. Two names may become one: who downloads must refuse to
 * overwrite.
 */
export function safeLocalName(name: string): string {
  const visible = name.normalize('NFC').replace(UNSAFE, '_');
  const named = visible === '' ? '_' : visible.replace(/^~/u, '_');
  const short = cut(named); // which can make a device of what was none
  const harmless = DEVICES.test(short) ? cut(`_${short}`) : short;
  return harmless.replace(/[. ]+$/u, (end) => '_'.repeat(end.length));
}

/** Cuts in whole characters and keeps a short extension. */
function cut(name: string): string {
  const encoder = new TextEncoder();
  if (encoder.encode(name).length <= NAME_BYTES_MAX) return name;
  const extension = /\.[^.]{1,16}$/u.exec(name)?.[0] ?? '';
  const room = NAME_BYTES_MAX - encoder.encode(extension).length;
  let kept = '';
  let bytes = 0;
  for (const character of name.slice(0, name.length - extension.length)) {
    bytes += encoder.encode(character).length;
    if (bytes > room) break;
    kept += character;
  }
  return kept + extension;
}
