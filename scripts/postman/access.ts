import { type Step, test } from './step.ts';

const UNKNOWN_ID = '01920000-0000-7000-8000-000000000001';
const JSON_BODY = { 'Content-Type': 'application/json' };
const json = (value: unknown): unknown => ({ mode: 'raw', raw: JSON.stringify(value), options: { raw: { language: 'json' } } });

/** The steps about accounts, as a server answers them that has none: with accounts the whole collection would need tokens of several. */
export const ACCESS: readonly Step[] = [
  {
    name: 'Who am I?',
    operation: 'GET /whoami',
    status: 200,
    tests: [test('there are no accounts', `pm.expect(pm.response.json().account).to.equal(null)`)],
  },
  {
    name: 'Make the first administrator without the secret',
    operation: 'POST /admin/init',
    headers: JSON_BODY,
    body: json({ name: 'admin' }),
    status: 401,
    problem: 'unauthenticated',
  },
  {
    name: 'List the accounts',
    operation: 'GET /accounts',
    status: 200,
    tests: [test('there are none', `pm.expect(pm.response.json().items).to.eql([])`)],
  },
  {
    name: 'Make an account before there is an administrator',
    operation: 'POST /accounts',
    headers: JSON_BODY,
    body: json({ name: 'ada' }),
    status: 403,
    problem: 'forbidden',
  },
  {
    name: 'Get an account that does not exist',
    operation: 'GET /accounts/:id',
    path: UNKNOWN_ID,
    status: 404,
    problem: 'account-not-found',
  },
  {
    name: 'Change an account that does not exist',
    operation: 'PATCH /accounts/:id',
    path: UNKNOWN_ID,
    headers: JSON_BODY,
    body: json({ disabled: true }),
    status: 404,
    problem: 'account-not-found',
  },
  {
    name: 'Remove an account that does not exist',
    operation: 'DELETE /accounts/:id',
    path: UNKNOWN_ID,
    status: 404,
    problem: 'account-not-found',
  },
  {
    name: 'Make a token without an account',
    operation: 'POST /tokens',
    headers: JSON_BODY,
    body: json({ label: 'postman' }),
    status: 403,
    problem: 'forbidden',
  },
  { name: 'List the tokens without an account', operation: 'GET /tokens', status: 403, problem: 'forbidden' },
  {
    name: 'Revoke a token that does not exist',
    operation: 'DELETE /tokens/:id',
    path: UNKNOWN_ID,
    status: 404,
    problem: 'token-not-found',
  },
];
