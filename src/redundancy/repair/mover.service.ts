import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import type { DamageListener } from '../stripe-reader.js';
import { CollectorService } from '../collector.service.js';
import { StripeCodec } from '../stripe-codec.js';
import { type ChangeFile, MoveCommitter } from './move-committer.js';
import { ShardCopier } from './shard-copier.js';
import { type EnterCopy, VersionMover } from './version-mover.js';

/** The one {@link VersionMover} of the process, for all who move shards: repair, drain, rebalance, a change of R. */
@Injectable()
export class MoverService {
  readonly mover: VersionMover;
  private changeFile: ChangeFile = () => Promise.reject(new Error('nobody can seal records yet'));
  private enter: EnterCopy = () => Promise.resolve(() => undefined);
  private onDamage: DamageListener = () => undefined;

  constructor(config: AppConfig, collector: CollectorService, codec: StripeCodec) {
    const { records, holds } = collector;
    const { registry, placement } = records.parts;
    const onDamage: DamageListener = (node, shard, error) => this.onDamage(node, shard, error);
    this.mover = new VersionMover({
      records,
      holds,
      copier: new ShardCopier({ registry, placement, codec, onDamage }),
      committer: new MoveCommitter(records, (id, work) => this.changeFile(id, work)),
      onStrays: (strays) => collector.addStrays(strays),
      enter: (bytes, signal) => this.enter(bytes, signal),
      batchBytes: config.limits.batch_bytes,
      stepBytes: config.limits.move_step_bytes,
    });
  }

  /** @param changeFile see {@link ChangeFile}; this module knows no keys */
  changeFilesBy(changeFile: ChangeFile): void {
    this.changeFile = changeFile;
  }

  /** @param enter see {@link EnterCopy} */
  paceBy(enter: EnterCopy): void {
    this.enter = enter;
  }

  /** @param onDamage told of shards that were found bad while others were copied */
  tellDamageTo(onDamage: DamageListener): void {
    this.onDamage = onDamage;
  }
}
