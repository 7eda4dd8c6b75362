import { Injectable } from '@nestjs/common';

/** What time it is, for whoever waits for hours and days. */
@Injectable()
export class DriveClock {
  /** Milliseconds since 1970. */
  now(): number {
    return Date.now();
  }
}
