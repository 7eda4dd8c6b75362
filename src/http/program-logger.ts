import type { LoggerService } from '@nestjs/common';

/** Where Nest itself says what it has put together. */
const FRAMEWORK: ReadonlySet<unknown> = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** The log of the program: what Nest tells of its own start is for who looks for a defect, and no news. Its warnings and errors stay what they are. */
export class ProgramLogger implements Required<Omit<LoggerService, 'setLogLevels'>> {
  constructor(private readonly logger: Required<Omit<LoggerService, 'setLogLevels'>>) {}

  /** @param rest at its end the context */
  log(message: unknown, ...rest: unknown[]): void {
    if (FRAMEWORK.has(rest.at(-1))) this.logger.debug(message, ...rest);
    else this.logger.log(message, ...rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.logger.verbose(message, ...rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.logger.debug(message, ...rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.logger.warn(message, ...rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.logger.error(message, ...rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.logger.fatal(message, ...rest);
  }
}
