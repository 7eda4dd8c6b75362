import { one, type Edit, type Mutation } from './mutation.ts';

import { RECORD_SIGNATURE } from './tree-defences.ts';

const CONTENT = 'test/attacks/content.spec.ts';
const TREE = 'test/attacks/tree.spec.ts';

export const MANIFEST_SIGNATURE: Edit = {
  file: 'src/sdk/revision-manifest.ts',
  defence: '  if (key !== undefined) await checkSigned(DOMAIN, bytes, key);\n',
  without: '',
};
export const CONTENT_DEFENCES: readonly Mutation[] = [
  one(
    '15 only the bytes that are vouched for',
    { file: MANIFEST_SIGNATURE.file, defence: ' && isEqual(hash, vouched);', without: ';' },
    CONTENT,
    'attack 15: .* vouches',
  ),
  one(
    '15 nobody vouches for the owner',
    { file: MANIFEST_SIGNATURE.file, defence: '!writers.isOwner(head.writer) && vouched', without: 'vouched' },
    CONTENT,
    'attack 15: .* vouches',
  ),
  one(
    '7 authentication of segments',
    {
      file: 'src/crypto/web-floe-opener.ts',
      defence:
        '      // Its message would be another one than for a wrong length, and tell the two apart.\n      throw new SealError();\n',
      without: '      return ciphertext;\n',
    },
    CONTENT,
    'attack 7: .* in content',
  ),
  one('7 signature of a manifest', MANIFEST_SIGNATURE, CONTENT, 'attack 7: .* in a manifest'),
  one('7 signature of a record', RECORD_SIGNATURE, TREE, 'attack 7:'),
  one(
    '8 position of a segment',
    {
      file: 'src/crypto/floe-format.ts',
      defence: 'setBigUint64(0, BigInt(position));\n  aad[8]',
      without: 'setBigUint64(0, 0n);\n  aad[8]',
    },
    CONTENT,
    'attack 8: .* swapped or repeated',
  ),
  one(
    '8 end of a part',
    {
      file: 'src/crypto/open-stream.ts',
      defence:
        "  if (position <= lastSegment) throw new DomainError('data-damaged', 'fewer bytes came than this part of the file has');\n",
      without: '',
    },
    CONTENT,
    'attack 8: .* cut off or added',
  ),
  one(
    '8 nothing behind a part',
    {
      file: 'src/crypto/open-stream.ts',
      defence:
        "      if (position > lastSegment) throw new DomainError('data-damaged', 'more bytes came than this part of the file has');\n",
      without: '      if (position > lastSegment) return;\n',
    },
    CONTENT,
    'attack 8: .* cut off or added',
  ),
  one(
    '9 node, revision and part in a part’s associated data',
    {
      file: 'src/sdk/content.ts',
      defence: "tuple('dcloud/e2ee/v1/part', nodeId, revisionId, part)",
      without: "tuple('dcloud/e2ee/v1/part', nodeId.length, revisionId.length)",
    },
    CONTENT,
    'attack 9:',
  ),
  one(
    '10 header of an attempt',
    {
      file: 'src/crypto/web-floe-sealer.ts',
      defence: 'globalThis.crypto.getRandomValues(new Uint8Array(MESSAGE_IV_BYTES))',
      without: 'new Uint8Array(MESSAGE_IV_BYTES)',
    },
    CONTENT,
    'attack 10:',
  ),
  one(
    '15 memory of what was seen',
    {
      file: 'src/sdk/succession.ts',
      defence: "  if (isOlder || isFork || isOfOtherPast || isDatedBack) throw new SdkError('rolled-back');\n",
      without: '',
    },
    CONTENT,
    'attack 15: .* what was seen',
  ),
  one(
    '15 keys of an earlier generation',
    { file: 'src/sdk/succession.ts', defence: 'isUnderOlderKeys(seen, state) || ', without: '' },
    CONTENT,
    'attack 15: .* nothing goes on under keys',
  ),
  one('15 signature of a manifest', MANIFEST_SIGNATURE, CONTENT, 'attack 15: .* a reader cannot'),
  one(
    '21 IV of a segment',
    {
      file: 'src/crypto/web-floe-sealer.ts',
      defence: 'globalThis.crypto.getRandomValues(new Uint8Array(head.length - SEGMENT_LENGTH_BYTES))',
      without: 'new Uint8Array(head.length - SEGMENT_LENGTH_BYTES)',
    },
    CONTENT,
    'attack 21: .* by sealing',
  ),
  one(
    '21 salt of a seal',
    {
      file: 'src/sdk/seal.ts',
      defence: 'const salt = randomBytes(SALT_BYTES);',
      without: 'const salt = new Uint8Array(SALT_BYTES);',
    },
    CONTENT,
    'attack 21: .* by sealing',
  ),
  one(
    '21 the same local file',
    { file: 'src/sdk/resume-state.ts', defence: "  if (!isSame) throw new SdkError('source-changed');\n", without: '' },
    CONTENT,
    'attack 21: .* a resumed upload',
  ),
  one(
    '21 digest of a part that was sealed',
    { file: 'src/sdk/resume-state.ts', defence: ' || !isEqual(mine, theirs)', without: '' },
    CONTENT,
    'attack 21: .* a resumed upload',
  ),
];
