import { type Step, test } from './step.ts';

const UNKNOWN_ID = '01920000-0000-7000-8000-000000000001';
const JSON_BODY = { 'Content-Type': 'application/json' };
const json = (value: unknown): unknown => ({ mode: 'raw', raw: JSON.stringify(value), options: { raw: { language: 'json' } } });

/** Messages of OPAQUE as a client made them once: the first halves are answered whoever sends them again. */
const REGISTRATION_REQUEST = 'up3DVKR19SEtEgOM0Eso6t1svMmvgcNzfBmdvWfuLTo';
const LOGIN_REQUEST =
  'zhXAC3AbItP8ego0_voOZHkdWhexj0ygnACwKyOvk3JUWdPzZ6tUF4qZjwWVGVtRh1gcyl679xGgsjQc9ITSeU5DPKTmQ_7gXlUuVycLZ3k7XI_u79gItdemyJT_ousj';
const BUNDLE = { sealed: 'AQIDBA', identity: 'BQYHCA' };
const NO_SUCH_EXCHANGE = 'AAAAAAAAAAAAAAAAAAAAAA';
const DUMMY = 'AAAA';

const start = (name: string, path: string): Step => ({
  name,
  operation: `POST ${path}`,
  headers: JSON_BODY,
  body: json({ name: 'nobody', startLoginRequest: LOGIN_REQUEST }),
  status: 200,
  tests: [test('nobody is answered like anybody', `pm.expect(pm.response.json().loginResponse).to.have.lengthOf(427)`)],
});

const finish = (name: string, path: string): Step => ({
  name,
  operation: `POST ${path}`,
  headers: JSON_BODY,
  body: json({ exchange: NO_SUCH_EXCHANGE, finishLoginRequest: DUMMY }),
  status: 400,
  problem: 'login-expired',
});

const withoutSession = (name: string, operation: string, more: Partial<Step> = {}): Step => ({
  name: `${name} without a session`,
  operation,
  status: 403,
  problem: 'forbidden',
  ...more,
});

/** The steps about logins: no collection can compute the messages, so it shows the first halves, and what is refused. */
export const LOGINS: readonly Step[] = [
  {
    name: 'Register before there is an administrator',
    operation: 'POST /auth/register/start',
    headers: JSON_BODY,
    body: json({ name: 'ada', registrationRequest: REGISTRATION_REQUEST, recoveryRequest: REGISTRATION_REQUEST }),
    status: 403,
    problem: 'registration-refused',
  },
  {
    name: 'Finish a registration that was not begun',
    operation: 'POST /auth/register/finish',
    headers: JSON_BODY,
    body: json({ exchange: NO_SUCH_EXCHANGE, registrationRecord: DUMMY, recoveryRecord: DUMMY, bundle: BUNDLE }),
    status: 400,
    problem: 'login-expired',
  },
  start('Begin to log in', '/auth/login/start'),
  finish('Finish a login that was not begun', '/auth/login/finish'),
  start('Begin to log in by the recovery code', '/auth/recover/start'),
  finish('Finish a recovery that was not begun', '/auth/recover/finish'),
  withoutSession('Begin to change the password', 'POST /auth/password/start', {
    headers: JSON_BODY,
    body: json({ startLoginRequest: LOGIN_REQUEST, registrationRequest: REGISTRATION_REQUEST }),
  }),
  withoutSession('Change the password', 'POST /auth/password/finish', {
    headers: JSON_BODY,
    body: json({ exchange: NO_SUCH_EXCHANGE, finishLoginRequest: DUMMY, registrationRecord: DUMMY, bundle: BUNDLE }),
  }),
  withoutSession('Log out', 'DELETE /auth/session'),
  withoutSession('List the sessions', 'GET /auth/sessions'),
  withoutSession('End a session', 'DELETE /auth/sessions/:id', { path: UNKNOWN_ID }),
  withoutSession('Get the bundle', 'GET /auth/bundle'),
  withoutSession('Replace the bundle', 'PUT /auth/bundle', { headers: { ...JSON_BODY, 'If-Match': '"x"' }, body: json(BUNDLE) }),
  {
    name: 'Get the identity of who has not registered',
    operation: 'GET /auth/users/:name/bundle',
    path: 'nobody',
    status: 404,
    problem: 'user-not-found',
  },
  {
    name: 'Get the identities of an account that does not exist',
    operation: 'GET /auth/identities/:account',
    path: UNKNOWN_ID,
    status: 404,
    problem: 'user-not-found',
  },
  {
    name: 'Invite to an account that does not exist',
    operation: 'POST /auth/invitations',
    headers: JSON_BODY,
    body: json({ account: UNKNOWN_ID }),
    status: 404,
    problem: 'account-not-found',
  },
];
