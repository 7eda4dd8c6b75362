import { Injectable } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { ClusterFile } from '../config/cluster-file.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { indexPlaceOf } from '../metadata/open-index-place.js';
import { closeNodes, NodeSource } from '../nodes/node-source.js';
import { RecordSealer } from '../records/record-sealer.js';
import { StoreVerifier, type Problem, type VerifyReport } from './store-verifier.js';

export interface VerifyResult extends VerifyReport {
  /** Nodes that could not be read, with the reason. */
  readonly missing: ReadonlyMap<number, string>;
  /** Nodes that know of changes which the index does not. */
  readonly ahead: readonly number[];
}

export interface VerifyListener {
  readonly onProblem: (problem: Problem) => void;
  readonly progress: (files: number) => void;
}

/** Walks over the whole store and changes nothing. */
@Injectable()
export class VerifyService {
  constructor(
    private readonly config: AppConfig,
    private readonly cluster: ClusterFile,
    private readonly sealer: RecordSealer,
    private readonly source: NodeSource,
  ) {}

  /** @throws DomainError `storage-missing` without an index, `storage-locked`, `storage-unusable` */
  async run(listener: VerifyListener, signal: AbortSignal): Promise<VerifyResult> {
    const index = await indexPlaceOf(this.config, this.cluster).open(false);
    try {
      return await this.verify(index, listener, signal);
    } finally {
      await index.close();
    }
  }

  private async verify(index: MetadataStore, listener: VerifyListener, signal: AbortSignal): Promise<VerifyResult> {
    const nodes = await this.source.openForReading(this.cluster, signal);
    const { readable, missing } = nodes;
    try {
      const ceiling = await index.revisionCeiling(signal);
      const probes = await Promise.all([...readable.values()].map((node) => node.probe(signal)));
      const ahead = [...readable.keys()].filter((_, at) => (probes[at]?.newestRevision ?? 0) > ceiling);
      const verifier = new StoreVerifier({ index, nodes: readable, sealer: this.sealer, ...listener });
      return { ...(await verifier.run(signal)), missing, ahead };
    } finally {
      await closeNodes(nodes);
    }
  }
}
