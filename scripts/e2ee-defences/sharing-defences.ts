import { one, type Edit, type Mutation } from './mutation.ts';

const SHARING = 'test/attacks/sharing.spec.ts';

const GRANT_SIGNATURE: Edit = {
  file: 'src/sdk/grant.ts',
  defence: '  await checkGrantSignature(bytes, new Writers(owner).keyOf(granter));\n',
  without: '  new Writers(owner).keyOf(granter);\n',
};
export const FOR_WHOM: Edit = {
  file: 'src/sdk/grant.ts',
  defence: "  if (!isForUs) throw new SdkError('not-yours');\n",
  without: '',
};
export const GRANT_HEAD: readonly Edit[] = [
  GRANT_SIGNATURE,
  {
    file: 'src/sdk/grant.ts',
    defence: 'concat(new FieldWriter().text(DOMAIN).finish(), head)',
    without: 'concat(head.subarray(0, 1))',
  },
];
export const LINK_HEAD: Edit = {
  file: 'src/sdk/link.ts',
  defence: 'fields: [encodeHead(head)]',
  without: 'fields: [encodeHead(head).length]',
};
export const LINK_PROOF: Edit = {
  file: 'src/sdk/link.ts',
  defence: "purposeKey(secret, 'link-auth', linkId)",
  without: "purposeKey(secret, 'link-key', linkId)",
};

export const SHARING_DEFENCES: readonly Mutation[] = [
  one('16 for whom a grant is', FOR_WHOM, SHARING, 'attack 16: .* is not for anybody else'),
  {
    name: '16 the head of a grant, in signature and context',
    edits: GRANT_HEAD,
    spec: SHARING,
    test: 'attack 16: .* does not become a right to write',
  },
  one('16 signature of a grant', GRANT_SIGNATURE, SHARING, 'attack 16: .* is not made in the owner'),
  one('17 the node of a link', LINK_HEAD, SHARING, 'attack 17: .* opens only the node'),
  one('17 another key for what the server is shown', LINK_PROOF, SHARING, 'attack 17: .* what the server is shown'),
  one(
    '25 signs of a local name',
    { file: 'src/sdk/local-name.ts', defence: ".replace(UNSAFE, '_')", without: '' },
    'test/attacks/local-names.spec.ts',
    'attack 25:',
  ),
];
