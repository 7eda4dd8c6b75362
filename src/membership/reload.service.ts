import { Injectable, Logger } from '@nestjs/common';
import { DomainError } from '../common/errors.js';
import type { AppConfig } from '../config/app-config.js';
import { configFilesOf, rereadConfig } from '../config/load-config.js';
import { LiveTls } from '../config/live-tls.js';
import { planReload } from '../config/reload-plan.js';
import { AlignmentService } from './alignment.service.js';
import { MembershipService } from './membership.service.js';

/** What a reload did. */
export interface ReloadReport {
  /** Numbers of the nodes that are new. */
  readonly added: readonly number[];
  readonly redundancyBefore: number;
  readonly redundancy: number;
}

/** Takes over, while the program runs, what may change of the configuration. */
@Injectable()
export class ReloadService {
  private readonly logger = new Logger(ReloadService.name);

  constructor(
    private readonly service: MembershipService,
    private readonly alignment: AlignmentService,
    private readonly tls: LiveTls,
  ) {}

  /** Reads the configuration anew, from where it came from. @throws DomainError `reload-refused`, `not-enough-nodes`; then nothing was changed */
  async reload(): Promise<ReloadReport> {
    try {
      return await this.service.inTurn(() => this.takeOver());
    } catch (error) {
      this.logger.error({ err: error }, 'the configuration was not taken over');
      throw error;
    }
  }

  private async takeOver(): Promise<ReloadReport> {
    const { live, cluster, registry } = this.service.membership;
    const before = live.current;
    const after = this.read(before, () => rereadConfig(before));
    const { nodeCount, redundancy } = planReload(before, after, cluster.map.nodes);
    const takeCertificates = this.read(before, () => this.tls.prepare());
    // Before a file is stored with fewer copies, nobody relies on more.
    const isLower = redundancy < (cluster.map.redundancy ?? before.redundancy_count);
    const added = await this.service.agree({ nodeCount, ...(isLower ? { redundancy } : {}) });
    live.replace(after);
    takeCertificates();
    for (const number of cluster.members) {
      // One that could not be made the last time is tried again.
      if (registry.has(number) && cluster.node(number).ready) continue;
      await registry.detach(number);
      const error = await this.service.admit(number);
      if (error !== undefined)
        this.logger.warn({ node: number, err: error }, 'a node is not there yet; a further reload tries again');
    }
    const isOther = redundancy !== before.redundancy_count;
    if (isOther || added.length > 0)
      this.logger.log({ added, redundancyBefore: before.redundancy_count, redundancy }, 'another configuration was taken over');
    if (isOther) this.alignment.changed();
    return { added, redundancyBefore: before.redundancy_count, redundancy };
  }

  /** What a caller hears of it does not name paths of the server; the log does. */
  private read<Result>(before: AppConfig, work: () => Result): Result {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof DomainError)) throw cause;
      const paths = [...configFilesOf(before), ...this.tls.paths];
      const detail = paths.reduce((text, path) => text.replaceAll(path, 'of the configuration'), cause.detail);
      throw new DomainError('reload-refused', detail, { cause });
    }
  }
}
