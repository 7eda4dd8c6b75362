import { describe, expect, it } from '@jest/globals';
import { parseDatabaseUrl } from './database-url.js';

describe('the url of a database', () => {
  it('says who, where and how', () => {
    expect(parseDatabaseUrl('postgres://dcloud:p%40ss%3Aword@db.example.org/cloud')).toEqual({
      hosts: [{ host: 'db.example.org', port: 5432 }],
      user: 'dcloud',
      password: 'p@ss:word',
      database: 'cloud',
      sslMode: 'verify-full',
      caFile: undefined,
    });
  });

  it('may name several hosts, with ports and addresses', () => {
    const { hosts } = parseDatabaseUrl('postgresql://u@db-1:6000,[::1]:7000,10.0.0.1/d?target_session_attrs=read-write');
    expect(hosts).toEqual([
      { host: 'db-1', port: 6000 },
      { host: '::1', port: 7000 },
      { host: '10.0.0.1', port: 5432 },
    ]);
  });

  it('needs to say how the server proves itself only where that may be less than everything', () => {
    expect(parseDatabaseUrl('postgres://u@localhost/d').sslMode).toBe('disable');
    expect(parseDatabaseUrl('postgres://u@localhost,db-2/d').sslMode).toBe('verify-full');
    expect(parseDatabaseUrl('postgres://u@db-2/d?sslmode=require').sslMode).toBe('require');
    expect(parseDatabaseUrl('postgres://u@db-2/d?sslrootcert=%2Fetc%2Fca.pem').caFile).toBe('/etc/ca.pem');
  });

  it.each([
    ['', /must be like/],
    ['http://u@h/d', /must be like/],
    ['postgres://u@h', /must be like/],
    ['postgres://h/d', /names no user/],
    ['postgres://u@h/', /names no database/],
    ['postgres://u@/d', /each of its hosts/],
    ['postgres://u@h,/d', /each of its hosts/],
    ['postgres://u@h:0/d', /port is 0/],
    ['postgres://u@h:99999/d', /port is 99999/],
    ['postgres://u:%zz@h/d', /two hexadecimal digits/],
    ['postgres://u@h/d?sslmode=prefer', /sslmode must be one of disable/],
    ['postgres://u@h/d?sslmode=require&sslrootcert=x', /sslrootcert, which sslmode=require/],
    ['postgres://u@h/d?target_session_attrs=any', /target_session_attrs=read-write/],
    ['postgres://u@h/d?password=secret', /may have sslmode/],
  ])('is refused as %p', (text, reason) => {
    expect(() => parseDatabaseUrl(text)).toThrow(reason);
  });
});
