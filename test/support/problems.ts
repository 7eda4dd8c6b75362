import { expect } from '@jest/globals';
import { ERRORS, type ErrorCode } from '../../src/common/errors.js';

/** Asserts that a response is the problem of this code, in form (RFC 9457) and status as the registry has it. */
export async function expectProblem(response: Response, code: ErrorCode): Promise<void> {
  const text = await response.text();
  const { status, title } = ERRORS[code];
  expect({ status: response.status, text }).toMatchObject({ status, text: expect.stringContaining(`"code":"${code}"`) });
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(JSON.parse(text)).toEqual({ type: `urn:dcloud:problem:${code}`, title, status, code, detail: expect.any(String) });
}
