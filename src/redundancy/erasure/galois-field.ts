/**
 * Arithmetic in GF(2⁸) with the polynomial x⁸ + x⁴ + x³ + x² + 1 (0x11d), of which 2 is a generator. Addition is XOR.
 */
const POLYNOMIAL = 0x11d;
/** Elements but 0; the powers of the generator repeat after so many. */
const ORDER = 255;

const EXPONENTS = new Uint8Array(2 * ORDER);
const LOGARITHMS = new Uint8Array(256);

for (let exponent = 0, power = 1; exponent < ORDER; exponent += 1) {
  EXPONENTS[exponent] = EXPONENTS[exponent + ORDER] = power;
  LOGARITHMS[power] = exponent;
  power = (power << 1) ^ (power & 0x80 ? POLYNOMIAL : 0);
}

/** The product of two elements. */
export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return EXPONENTS[logarithm(a) + logarithm(b)] as number;
}

/** The element whose product with `a` is 1. @throws RangeError for 0 */
export function inverse(a: number): number {
  if (a === 0) throw new RangeError('0 has no inverse');
  return EXPONENTS[ORDER - logarithm(a)] as number;
}

function logarithm(a: number): number {
  return LOGARITHMS[a] as number;
}
