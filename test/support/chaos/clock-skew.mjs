// Loaded into a program under test (node --import): its clock is off by as many milliseconds as a file says, from when it says so.
import { readFileSync } from 'node:fs';

const LOOK_MS = 50;
const file = process.env.CHAOS_CLOCK_FILE;
const RealDate = Date;
let offsetMs = 0;

globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offsetMs);
    else super(...args);
  }

  static now() {
    return RealDate.now() + offsetMs;
  }
};

function look() {
  try {
    offsetMs = Number(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    offsetMs = 0; // nobody has touched the clock yet
  }
}

if (file !== undefined) {
  look();
  setInterval(look, LOOK_MS).unref();
}
