import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { DomainError, errorCode, ERRORS } from './errors.js';

const codes = Object.keys(ERRORS) as (keyof typeof ERRORS)[];

describe('the registry of errors', () => {
  it('has codes in kebab case, statuses that are errors, and titles of their own', () => {
    for (const code of codes) expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    for (const { status } of Object.values(ERRORS)) if (status !== null) expect(String(status)).toMatch(/^[45]\d\d$/);
    expect(new Set(Object.values(ERRORS).map(({ title }) => title)).size).toBe(codes.length);
  });

  it('is explained in docs/errors.md, each code with its status, its title and what to do, and nothing else is', () => {
    const rows = readFileSync('docs/errors.md', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').map((cell) => cell.trim()));
    const told = rows.map(([, code, status]) => `${code!.replaceAll('`', '')} ${status!}`);
    expect(told).toEqual(codes.map((code) => `${code} ${ERRORS[code].status ?? 'start'}`));
    for (const [, , , when, todo] of rows) expect([when!.length > 10, todo!.length > 5]).toEqual([true, true]);
  });

  it('is named by the API document, but for the errors of a start', () => {
    const document = parse(readFileSync('openapi.yaml', 'utf8')) as {
      components: { schemas: { ProblemDto: { properties: { code: { description?: string; enum?: string[] } } } } };
    };
    const { description = '', enum: values } = document.components.schemas.ProblemDto.properties.code;
    const named = values ?? description.replace(/^[^:]*: /, '').split(', ');
    expect(named).toEqual(codes.filter((code) => ERRORS[code].status !== null));
  });
});

describe('DomainError', () => {
  it('keeps its code, detail and cause', () => {
    const cause = new Error('why');
    const error = new DomainError('invalid-name', 'it is empty', { cause });
    expect(error).toMatchObject({
      name: 'DomainError',
      code: 'invalid-name',
      detail: 'it is empty',
      cause,
      message: 'invalid-name: it is empty',
    });
  });
});

describe('errorCode', () => {
  it('is the code of what has one as a text', () => {
    expect(errorCode({ code: 'ENOENT' })).toBe('ENOENT');
    expect(errorCode(new DomainError('internal', 'x'))).toBe('internal');
    for (const error of [null, undefined, 'ENOENT', {}, { code: 5 }, new Error('x')]) expect(errorCode(error)).toBeUndefined();
  });
});
