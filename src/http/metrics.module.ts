import { Module } from '@nestjs/common';
import { Registry } from 'prom-client';

/** The one place where the metrics of this process are kept; each part of the program adds its own. */
@Module({ providers: [{ provide: Registry, useFactory: () => new Registry() }], exports: [Registry] })
export class MetricsModule {}
