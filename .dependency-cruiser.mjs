import { builtinModules } from 'node:module';

/**
 * The import table of the design (docs/architecture.md), so that it fails the build instead of being forgotten.
 * Every module may import common, config and http; what else it may is listed here.
 */
const MAY_IMPORT = {
  common: [],
  config: ['common'],
  http: ['common', 'config'],
  files: ['chunking', 'crypto', 'records', 'redundancy', 'metadata'],
  // What the server keeps of its own, as files.
  documents: ['files', 'metadata'],
  chunking: [],
  crypto: [],
  // What nodes keep of files, sealed: the one place where the words of the index meet the keys.
  records: ['crypto', 'nodes', 'metadata'],
  redundancy: ['placement', 'nodes', 'metadata'],
  placement: [],
  nodes: [],
  metadata: [],
  // Which nodes there are, and bringing what is stored to where they want it.
  membership: ['placement', 'nodes', 'metadata', 'redundancy'],
  // The index, from one engine to another.
  migration: ['metadata', 'redundancy'],
  health: ['placement', 'nodes', 'metadata'],
  // A store at rest: the index from the nodes, and a look at everything.
  recovery: ['backup', 'crypto', 'nodes', 'metadata', 'records', 'redundancy'],
  // What the index and the configuration were at one moment, sealed: as a file, and on the nodes.
  backup: ['crypto', 'files', 'metadata'],
  // Who did what. It looks on at requests, and nobody needs it to answer them.
  audit: [],
  // Who may do what; it asks the index what an owner has stored.
  auth: ['documents', 'metadata'],
  // How people become known: by passwords that the server never sees. The login setup lies in the key ring.
  accounts: ['auth', 'documents', 'crypto'],
  // What clients seal. It reads the heads of their formats, which the sdk has, and checks who signed; it has no keys to open anything with.
  drive: ['accounts', 'auth', 'documents', 'files', 'sdk'],
  // The command line starts the program, so it sees the composition root; and the key ring, for `dcloud keys`.
  // And it talks to a peer, for `dcloud takeover`; and it proves to a server that it may read its storage, for `dcloud admin init`.
  cli: ['audit', 'auth', 'backup', 'crypto', 'recovery', 'cluster', 'migration', 'nodes', 'sdk'],
  // The client's side: it shares formats with the server, never its parts.
  sdk: ['chunking', 'crypto'],
  // Bodies between clients and nodes, in the place of the gateway.
  delegation: ['chunking', 'crypto', 'files', 'health', 'nodes', 'placement', 'redundancy'],
  // What a process is for the others, and whom it passes requests on to.
  cluster: ['nodes', 'recovery'],
};
/** As they appear when resolved: without `node:`, or with it for those that have no other name. */
const NODE_BUILT_INS = `^(?:node:.*|${builtinModules.join('|')})$`;
const BASIC = ['common', 'config', 'http'];
const ROOT = ['create-app', 'start-cluster', 'version', 'openapi', 'app\\.module', 'main'];

const rules = Object.entries(MAY_IMPORT).map(([module, others]) => {
  const allowed = [module, ...others, ...(BASIC.includes(module) ? [] : BASIC)];
  const root = module === 'cli' ? `|src/(?:${ROOT.join('|')})\\.ts$` : '';
  return {
    name: `${module}-imports`,
    comment: `${module} knows nothing but ${allowed.slice(1).join(', ') || 'itself'}: who needs more of it, asks it through the one who conducts`,
    severity: 'error',
    from: { path: `^src/${module}/`, pathNot: '\\.spec\\.ts$' },
    to: { path: '^src/', pathNot: `^src/(?:${allowed.join('|')})/${root}` },
  };
});

export default {
  forbidden: [
    ...rules,
    {
      name: 'no-cycles',
      comment: 'under ESM a cycle of classes dies at import, whatever forwardRef does',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'sdk-runs-in-browsers',
      comment:
        'what reaches a built-in of Node.js cannot be bundled for a browser; files named node-* are for the command line only',
      severity: 'error',
      from: { path: '^src/sdk/', pathNot: '/node-[^/]*$|\\.spec\\.ts$' },
      to: { path: NODE_BUILT_INS, reachable: true },
    },
    {
      name: 'no-tests-in-production',
      comment: 'what ships does not know its tests',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^test/|\\.spec\\.ts$' },
    },
    {
      name: 'declared-dependencies',
      comment: 'a package that only happens to be installed is not there on the next machine',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev', 'unknown', 'undetermined'], pathNot: '^node:' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
  },
};
