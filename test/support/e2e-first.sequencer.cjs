const { default: Sequencer } = require('@jest/test-sequencer');

/** End-to-end specs take long, whatever their size. Behind them come short ones, so that no worker waits at the end for the other. */
module.exports = class E2eFirstSequencer extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const isE2e = ({ context }) => context.config.displayName?.name === 'e2e';
    return [...sorted.filter(isE2e), ...sorted.filter((test) => !isE2e(test))];
  }
};
