import { type DynamicModule, Module } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { ClusterView } from './cluster-view.js';
import { FolderNodeSource } from './folder-node-source.js';
import { NodeSource } from './node-source.js';

/** Makes it injectable everywhere where the nodes come from. */
@Module({})
export class NodeSourceModule {
  /**
   * @param source absent: folders of this process
   * @param view absent: there is no cluster to speak of
   */
  static forRoot(source?: NodeSource, view?: ClusterView): DynamicModule {
    const provider =
      source === undefined
        ? { provide: NodeSource, useFactory: (config: AppConfig) => new FolderNodeSource(config), inject: [AppConfig] }
        : { provide: NodeSource, useValue: source };
    const views = view === undefined ? [] : [{ provide: ClusterView, useValue: view }];
    return {
      module: NodeSourceModule,
      global: true,
      providers: [provider, ...views],
      exports: [NodeSource, ...views.map(({ provide }) => provide)],
    };
  }
}
