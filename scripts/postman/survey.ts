import { type Step, test } from './step.ts';

/** The steps that look after the nodes. */
export const SURVEY: readonly Step[] = [
  {
    name: 'Health',
    operation: 'GET /health',
    status: 200,
    tests: [test('is well', `pm.expect(pm.response.json().status).to.equal('ok')`)],
  },
  { name: 'Health: is the process alive?', operation: 'GET /health/live', status: 200 },
  { name: 'Health: can files be stored?', operation: 'GET /health/ready', status: 200 },
  {
    name: 'List the nodes',
    operation: 'GET /nodes',
    status: 200,
    tests: [test('all are up', `pm.response.json().nodes.forEach((node) => pm.expect(node.state).to.equal('up'))`)],
  },
  {
    name: 'Get one node',
    operation: 'GET /nodes/:node',
    path: '1',
    status: 200,
    tests: [test('is node 1', 'pm.expect(pm.response.json().node).to.equal(1)')],
  },
  { name: 'Get a node that does not exist', operation: 'GET /nodes/:node', path: '4711', status: 404, problem: 'node-not-found' },
  {
    name: 'What is being restored',
    operation: 'GET /repair',
    status: 200,
    tests: [test('nothing is lost', `pm.expect(pm.response.json().backlog.versions).to.equal(0)`)],
  },
  { name: 'Prove everything now', operation: 'POST /scrub', status: 202 },
  {
    name: 'How far that is',
    operation: 'GET /scrub',
    status: 200,
    tests: [test('nothing is damaged', `pm.expect(pm.response.json().damaged).to.equal(0)`)],
  },
  { name: 'Make a backup of the index', operation: 'POST /backup', status: 200 },
  { name: 'The backups on the nodes', operation: 'GET /backup', status: 200 },
  { name: 'Read the configuration anew', operation: 'POST /reload', status: 200 },
  { name: 'Make all nodes equally full', operation: 'POST /rebalance', status: 202 },
  { name: 'How far the rebalance is', operation: 'GET /rebalance', status: 200 },
  {
    name: 'Move the index from an engine that is not in use',
    operation: 'POST /metadata/migration',
    headers: { 'Content-Type': 'application/json' },
    body: {
      mode: 'raw',
      raw: JSON.stringify({ from: 'postgres', to: 'embedded' }),
      options: { raw: { language: 'json' } },
    },
    status: 409,
    problem: 'migration-refused',
  },
  { name: 'How far the move of the index is', operation: 'GET /metadata/migration', status: 200 },
  { name: 'Empty a node', operation: 'POST /nodes/:node/drain', path: '1', status: 202 },
  { name: 'Do not empty it any more', operation: 'DELETE /nodes/:node/drain', path: '1', status: 204 },
  {
    name: 'Remove a node that takes files',
    operation: 'DELETE /nodes/:node',
    path: '1',
    status: 409,
    problem: 'removal-refused',
  },
  {
    name: 'Replace a node that is well',
    operation: 'POST /nodes/:node/replace',
    path: '1',
    status: 409,
    problem: 'replace-refused',
  },
];
