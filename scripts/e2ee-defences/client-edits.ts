import type { Edit } from './mutation.ts';

/** What several entries about the whole client take out. */
const RECORD = 'src/sdk/drive-record.ts';

export const OWNER_OF_NODE: Edit = {
  file: 'src/sdk/open-node.ts',
  defence: "    if (sealed.owner !== owner.accountId) throw new SdkError('damaged');\n",
  without: '',
};
/** Not even whose it is said to be is looked at. */
export const ANY_RECORD: Edit = {
  file: RECORD,
  defence: '  await checkSigned(DOMAIN, bytes, expected.writers.keyOf(head.writer));\n',
  without: '',
};
export const ANY_MANIFEST: Edit = {
  file: 'src/sdk/revision-manifest.ts',
  defence: '  const key = isVouched ? writers.find(head.writer) : writers.keyOf(head.writer);\n',
  without: '  const key = undefined as Bytes | undefined;\n  void [isVouched, writers];\n',
};
/** What binds a node to its folder: the key that wraps its own, the tag of its name, and the folder's id. */
export const FOLDER: readonly Edit[] = [
  { file: RECORD, defence: 'seal(parentKeys.current, keys.current,', without: 'seal(new Uint8Array(32), keys.current,' },
  {
    file: RECORD,
    defence: 'openSeal(access.parentKeys.at(head.parentGeneration), wrappedKey,',
    without: 'openSeal(new Uint8Array(32), wrappedKey,',
  },
  {
    file: RECORD,
    defence: "  if (!isEqual(tag, await nameTag(folderKey, name))) throw new SdkError('damaged');\n",
    without: '  await nameTag(folderKey, name);\n',
  },
  {
    file: RECORD,
    defence: ' || (expected.parentId !== undefined && parentId !== expected.parentId)',
    without: ' || parentId === undefined',
  },
];
export const SUCCESSION: Edit = {
  file: 'src/sdk/succession.ts',
  defence: "  if (isOlder || isFork || isOfOtherPast || isDatedBack) throw new SdkError('rolled-back');\n",
  without: '',
};
export const KEPT_MEMORY: Edit = {
  file: 'src/sdk/device.ts',
  defence: '    if (bytes !== undefined) understand(() => seen.merge(bytes));\n    return seen;\n',
  without: '    return seen;\n',
};
export const ACKNOWLEDGED: Edit = {
  file: 'src/sdk/acknowledged.ts',
  defence: '  if (known === undefined || known.revision < state.revision) seen.meet(kind, state.nodeId, { ...state, hash });\n',
  without: '  void [known, hash];\n',
};
