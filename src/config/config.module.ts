import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { ConfigModule as NestConfigModule, ConfigService } from '@nestjs/config';
import { ProcessLock } from '../common/process-lock.js';
import { AppConfig } from './app-config.js';
import { ClusterFile } from './cluster-file.js';
import { LiveConfig } from './live-config.js';
import { LiveTls } from './live-tls.js';
import { lockStorage } from './storage-lock.js';

const OPENED_HERE: Provider[] = [
  // Before anything of the storage is read or made; held until the process ends, however it ends.
  { provide: ProcessLock, useFactory: lockStorage, inject: [AppConfig] },
  {
    provide: ClusterFile,
    useFactory: (loaded: AppConfig) => ClusterFile.open(loaded.storage_directory, loaded.node_count),
    inject: [AppConfig, ProcessLock],
  },
];

/** Makes the configuration and the cluster's identity injectable everywhere. */
@Module({})
export class ConfigModule {
  /**
   * @param opened of a process that has the lock and the file already
   * @param tls of the server of this process
   */
  static forRoot(
    config: AppConfig,
    opened?: { readonly file: ClusterFile; readonly live?: LiveConfig },
    tls = LiveTls.none(),
  ): DynamicModule {
    return {
      module: ConfigModule,
      global: true,
      imports: [NestConfigModule.forRoot({ ignoreEnvFile: true, ignoreEnvVars: true, load: [() => ({ dcloud: config })] })],
      providers: [
        {
          provide: AppConfig,
          useFactory: (service: ConfigService) => service.getOrThrow<AppConfig>('dcloud'),
          inject: [ConfigService],
        },
        { provide: LiveConfig, useFactory: (loaded: AppConfig) => opened?.live ?? new LiveConfig(loaded), inject: [AppConfig] },
        { provide: LiveTls, useValue: tls },
        ...(opened === undefined ? OPENED_HERE : [{ provide: ClusterFile, useValue: opened.file }]),
      ],
      exports: [AppConfig, ClusterFile, LiveConfig, LiveTls],
    };
  }
}
