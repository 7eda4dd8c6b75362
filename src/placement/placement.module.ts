import { Module } from '@nestjs/common';
import { Placement } from './placement.js';

@Module({ providers: [Placement], exports: [Placement] })
export class PlacementModule {}
