import { Module } from '@nestjs/common';
import { NodesModule } from '../nodes/nodes.module.js';
import { RedundancyModule } from '../redundancy/redundancy.module.js';
import { AlignmentService } from './alignment.service.js';
import { Membership } from './membership.js';
import { MembershipController } from './membership.controller.js';
import { MembershipService } from './membership.service.js';
import { RebalanceService } from './rebalance.service.js';
import { ReloadService } from './reload.service.js';
import { SurvivalService } from './survival.service.js';

@Module({
  imports: [NodesModule, RedundancyModule],
  controllers: [MembershipController],
  providers: [AlignmentService, Membership, MembershipService, RebalanceService, ReloadService, SurvivalService],
  exports: [ReloadService],
})
export class MembershipModule {}
