import { describe, expect, it } from '@jest/globals';
import { faultOf, type Fault } from './database-error.js';

const cases: readonly (readonly [Fault, string, string])[] = [
  ['conflict', 'ERROR', '40001'],
  ['refused', 'ERROR', '23505'],
  ['refused', 'ERROR', '53100'],
  ['refused', 'FEHLER', '23505'],
  ['refused', 'ERROR', '42501'],
  ['lost', 'PANIC', '53100'],
  ['lost', 'FATAL', '53300'],
  ['lost', 'PANIC', '42501'],
  ['lost', 'PANIC', '58030'],
  ['lost', 'PANIK', '58030'],
  ['lost', 'PANIK', '53100'],
  ['lost', 'PANIK', 'XX000'],
  ['lost', 'FATAL', '57P01'],
  ['lost', 'ERROR', '25006'],
];

describe('an error of the database', () => {
  it.each(cases)('is %s if its severity is %s and its code %s', (fault, severity, code) => {
    expect(faultOf(Object.assign(new Error('it failed'), { severity, code }))).toBe(fault);
  });

  it('is lost if it says nothing of what was done, and refused if it is of this program', () => {
    expect([faultOf(undefined), faultOf(null), faultOf('gone'), faultOf(new Error('Query read timeout'))]).toEqual([
      'lost',
      'lost',
      'lost',
      'lost',
    ]);
    expect(faultOf(new TypeError('of the program'))).toBe('refused');
  });
});
