import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { MetadataStore } from '../metadata/metadata-store.js';
import { NodeRegistry } from '../nodes/node-registry.js';
import { StoreView } from '../nodes/store-view.js';
import { NODE_STATES } from './node.dto.js';

const INDEX_MS_MAX = 2000;

/** Prometheus' view of this process and of the nodes. */
@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: Registry,
    nodes: NodeRegistry,
    metadata: MetadataStore,
    store: StoreView,
  ) {
    collectDefaultMetrics({ register: this.metrics });
    const registers = [this.metrics];
    new Gauge({
      name: 'dcloud_node_up',
      help: '1 if the node takes and serves shards, else 0',
      labelNames: ['node'],
      registers,
      collect(): void {
        for (const { number } of nodes.nodes) this.set({ node: number }, nodes.state(number) === 'up' ? 1 : 0);
      },
    });
    new Gauge({
      name: 'dcloud_node_state',
      help: '1 for the state that the node is in, 0 for the others',
      labelNames: ['node', 'state'],
      registers,
      collect(): void {
        this.reset(); // a node that left the cluster is in no state
        for (const { number } of nodes.nodes) {
          const state = nodes.state(number);
          for (const each of NODE_STATES) this.set({ node: number, state: each }, each === state ? 1 : 0);
        }
      },
    });
    new Counter({
      name: 'dcloud_node_transitions_total',
      help: 'How often the node came into the state',
      labelNames: ['node', 'to'],
      registers,
      collect(): void {
        this.reset();
        for (const { number } of nodes.nodes)
          for (const [to, count] of nodes.status(number).transitions) this.inc({ node: number, to }, count);
      },
    });
    new Gauge({
      name: 'dcloud_store_survives',
      help: 'How many more nodes may be lost without losing a file; -1 if one cannot be read in full now',
      registers,
      collect(): void {
        if (store.survival !== undefined) this.set(store.survival.survives);
      },
    });
    new Gauge({
      name: 'dcloud_node_shards',
      help: 'Shards of files that lie on the node',
      labelNames: ['node'],
      registers,
      async collect(): Promise<void> {
        const usage = await metadata.usage(AbortSignal.timeout(INDEX_MS_MAX));
        this.reset(); // a node without shards is not in the list
        for (const { number } of nodes.nodes) this.set({ node: number }, 0);
        for (const { node, shards } of usage) this.set({ node }, shards);
      },
    });
  }

  @Get()
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  read(): Promise<string> {
    return this.metrics.metrics();
  }
}
