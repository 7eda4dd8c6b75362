import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FileId } from '../common/ids.js';
import type { UserName } from '../common/user-name.js';
import type { AppConfig } from '../config/app-config.js';
import { PendingExchanges } from './pending-exchanges.js';

const config = { limits: { logins_pending_max: 2, login_ms_max: 1000 } } as AppConfig;
const [name, account] = ['ada' as UserName, '01920000-0000-7000-8000-000000000003' as FileId];
const REGISTRATION = { kind: 'registration', name, account, invitation: undefined, attempt: [] } as const;

describe('PendingExchanges', () => {
  let pending: PendingExchanges;

  beforeEach(() => {
    jest.useFakeTimers();
    pending = new PendingExchanges(config);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('gives each once, and only as what it is', () => {
    const [one, two] = [pending.put(REGISTRATION), pending.put(REGISTRATION)];
    expect(one).not.toBe(two);
    expect(one).toHaveLength(22);
    expect(pending.take(one, 'registration')).toBe(REGISTRATION);
    const expired = expect.objectContaining({ code: 'login-expired' });
    expect(() => pending.take(one, 'registration')).toThrow(expired);
    expect(() => pending.take(two, 'password')).toThrow(expired);
    expect(() => pending.take(two, 'registration')).toThrow(expired);
  });

  it('forgets them when their time is over', () => {
    const id = pending.put(REGISTRATION);
    jest.advanceTimersByTime(1000);
    expect(() => pending.take(id, 'registration')).toThrow(expect.objectContaining({ code: 'login-expired' }));
  });

  it('keeps a bounded number', () => {
    pending.put(REGISTRATION);
    jest.advanceTimersByTime(500);
    pending.put(REGISTRATION);
    expect(() => pending.put(REGISTRATION)).toThrow(expect.objectContaining({ code: 'too-busy' }));
    jest.advanceTimersByTime(500);
    expect(pending.put(REGISTRATION)).toHaveLength(22);
  });
});
