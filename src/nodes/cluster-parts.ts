import type { ClusterFile } from '../config/cluster-file.js';
import type { LiveConfig } from '../config/live-config.js';
import type { LiveTls } from '../config/live-tls.js';
import type { ClusterView } from './cluster-view.js';
import type { NodeSource } from './node-source.js';

/** What a process that is one of several has opened before the modules that serve files. */
export interface ClusterParts {
  readonly file: ClusterFile;
  /** The configuration of the process, which outlives its roles. */
  readonly live: LiveConfig;
  /** Of the server of the process. */
  readonly tls?: LiveTls;
  readonly source: NodeSource;
  readonly view?: ClusterView;
}
