import { one, type Edit, type Mutation } from './mutation.ts';

const KEYS = 'test/attacks/keys.spec.ts';
const LOGIN = 'src/sdk/opaque-login.spec.ts';
const IDENTITY = 'test/attacks/identity.spec.ts';

export const KEY_DEFENCES: readonly Mutation[] = [
  one(
    '1 context in the key of a seal',
    {
      file: 'src/sdk/seal.ts',
      defence: "'dcloud/e2ee/v1/seal', purpose, ...fields]",
      without: "'dcloud/e2ee/v1/seal', purpose]",
    },
    KEYS,
    'attack 1:',
  ),
  one(
    '4 floor of the password’s cost',
    { file: 'src/sdk/password-cost.ts', defence: "  if (!isStrong) throw new SdkError('weak-password-cost');\n", without: '' },
    KEYS,
    'attack 4:',
  ),
  one(
    '5 version of a format',
    {
      file: 'src/sdk/fields.ts',
      defence: "    if (this.u8() !== known) throw new SdkError('unsupported-format');\n",
      without: '    this.u8();\n',
    },
    KEYS,
    'attack 5:',
  ),
  one(
    '5 version of a seal',
    { file: 'src/sdk/seal.ts', defence: "  if (sealed[0] !== FORMAT) throw new SdkError('unsupported-format');\n", without: '' },
    KEYS,
    'attack 5:',
  ),
  one(
    '20 one answer for whatever was wrong',
    {
      file: 'src/sdk/seal.ts',
      defence:
        "  const { plain } = await tryOpen(key, sealed, context);\n  if (plain === undefined) throw new SdkError('damaged');\n",
      without: '  return openTyped(key, sealed, context);\n',
    },
    KEYS,
    'attack 20:',
  ),
  one(
    '23 commitment to the key',
    {
      file: 'src/sdk/seal.ts',
      defence: '  if (!isEqual(commitment, sealed.subarray(COMMITMENT_AT, BODY_AT))) return { isOtherKey: true };\n',
      without: '',
    },
    KEYS,
    'attack 23:',
  ),
];

export const LOGIN_DEFENCES: readonly Mutation[] = [
  one(
    '1 who is in a registration',
    {
      file: 'src/sdk/opaque-login.ts',
      defence: '    identifiers: { client, server: SERVER_IDENTITY },\n',
      without: '    identifiers: {} as { client: string; server: string },\n',
    },
    LOGIN,
    'login does not take the record of the password',
  ),
  one(
    '4 floor of the password’s cost at login',
    { file: 'src/sdk/opaque-login.ts', defence: '  assertCost(cost);\n', without: '' },
    LOGIN,
    'login refuses to harden with less',
  ),
  one(
    '6 the server of the registration',
    {
      file: 'src/sdk/opaque-login.ts',
      defence: "  if (pinned !== undefined && pinned !== serverKey) throw new SdkError('server-changed');\n",
      without: '  pinned?.at(Number(serverKey));\n',
    },
    LOGIN,
    'login does not go on with another server',
  ),
];

export const PIN: Edit = {
  file: 'src/sdk/pins.ts',
  defence: "    else if (!chain.some((bundle) => isPinned(bundle, pin))) throw new SdkError('identity-changed');\n",
  without: '',
};

export const IDENTITY_DEFENCES: readonly Mutation[] = [
  one('2 pin of a contact', PIN, IDENTITY, 'attack 2: .* is refused after the first contact'),
  one(
    '2 one account for a name',
    {
      file: 'src/sdk/pins.ts',
      defence: "if (pin.userName === userName) throw new SdkError('identity-changed');",
      without: 'userName.trim();',
    },
    IDENTITY,
    'attack 2: .* is refused after the first contact',
  ),
  one(
    '2 whom the server was asked for',
    {
      file: 'src/sdk/pins.ts',
      defence: "    if (!isAskedFor(newest, asked)) throw new SdkError('identity-changed');\n",
      without: '',
    },
    IDENTITY,
    'attack 2: .* if another one was asked for',
  ),
  one(
    '2 one form of a user’s name',
    {
      file: 'src/sdk/identity-bundle.ts',
      defence: "  if (!isUserName(bundle.userName)) throw new SdkError('damaged');\n",
      without: '',
    },
    IDENTITY,
    'attack 2: .* read as the contact',
  ),
  one(
    '2 signature of the key before',
    {
      file: 'src/sdk/identity-bundle.ts',
      defence: '    await checkSigned(SUCCESSION_DOMAIN, bytes, before.verifyKey);\n',
      without: '',
    },
    IDENTITY,
    'attack 2: .* does not pass for its next version',
  ),
  one(
    '3 our own bundle',
    { file: 'src/sdk/identity-bundle.ts', defence: "  if (!isOurs) throw new SdkError('identity-changed');\n", without: '' },
    IDENTITY,
    'attack 3:',
  ),
];

const ACCOUNTS = 'test/attacks/accounts.spec.ts';

export const ACCOUNT_DEFENCES: readonly Mutation[] = [
  one(
    '1 hash of the other parts of the account’s keys',
    {
      file: 'src/sdk/account-seal.ts',
      defence: "  if (!isEqual(headHash, await sha256(headBytes))) throw new SdkError('damaged');\n",
      without: '',
    },
    ACCOUNTS,
    'attack 1:',
  ),
  {
    name: '3 the public bundle that belongs to the account’s keys, and that it has them',
    edits: [
      {
        file: 'src/sdk/account-seal.ts',
        defence: "  if (!isEqual(bundleHash, await sha256(publicBundle))) throw new SdkError('identity-changed');\n",
        without: '',
      },
      { file: 'src/sdk/account-state.ts', defence: '  assertOwnBundle(bundle, identity);\n', without: '' },
    ],
    spec: ACCOUNTS,
    test: 'attack 3:',
  },
  one(
    '15 the newest state of the account that was seen',
    {
      file: 'src/sdk/account-state.ts',
      defence: "  seen.meet('account', master.accountId, { revision, hash, previousHash, generation: master.generation });\n",
      without: '',
    },
    ACCOUNTS,
    'attack 15:',
  ),
  one(
    '15 the loss of a document of the vault',
    {
      file: 'src/sdk/sealed-vault.ts',
      defence: "      if (this.seen.get('vault', name) !== undefined) throw new SdkError('rolled-back');\n",
      without: '',
    },
    ACCOUNTS,
    'attack 15:',
  ),
  one(
    '15 the loss of the root',
    {
      file: 'src/sdk/drive-root.ts',
      defence: "  if (seen.get('root', accountId) !== undefined) throw new SdkError('rolled-back');\n",
      without: '',
    },
    ACCOUNTS,
    'attack 15:',
  ),
  one(
    '15 another root',
    {
      file: 'src/sdk/drive-root.ts',
      defence: "  seen.meet('root', accountId, { revision: 1, hash: await sha256(utf8(nodeId)), previousHash: NO_HASH });\n",
      without: '',
    },
    ACCOUNTS,
    'attack 15:',
  ),
];
