import { type DynamicModule, Module } from '@nestjs/common';
import { ConfigModule as NestConfigModule, ConfigService } from '@nestjs/config';
import { AppConfig } from './app-config.js';
import { ClusterFile } from './cluster-file.js';

/** Makes the configuration and the cluster's identity injectable everywhere. */
@Module({})
export class ConfigModule {
  static forRoot(config: AppConfig): DynamicModule {
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
        {
          provide: ClusterFile,
          useFactory: (loaded: AppConfig) => ClusterFile.open(loaded.storage_directory, loaded.node_count),
          inject: [AppConfig],
        },
      ],
      exports: [AppConfig, ClusterFile],
    };
  }
}
