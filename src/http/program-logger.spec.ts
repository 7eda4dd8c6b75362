import { expect, it } from '@jest/globals';
import { ProgramLogger } from './program-logger.js';

const LEVELS = ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'] as const;

it('what Nest says of its own start is for debugging; all else is what it was', () => {
  const said: unknown[] = [];
  const kept = Object.fromEntries(LEVELS.map((level) => [level, (...words: unknown[]) => void said.push([level, ...words])]));
  const logger = new ProgramLogger(kept as Record<(typeof LEVELS)[number], (...words: unknown[]) => void>);
  logger.log('Mapped {/files, GET} route', 'RouterExplorer');
  for (const level of LEVELS) logger[level]({ node: 1 }, 'said', 'Cluster');
  logger.warn('odd', 'RouterExplorer');
  logger.log('RouterExplorer');
  expect(said).toEqual([
    ['debug', 'Mapped {/files, GET} route', 'RouterExplorer'],
    ...LEVELS.map((level) => [level, { node: 1 }, 'said', 'Cluster']),
    ['warn', 'odd', 'RouterExplorer'],
    ['log', 'RouterExplorer'],
  ]);
});
