import 'reflect-metadata';
import { Type } from 'class-transformer';
import {
  ArrayUnique,
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsString,
  Matches,
  Max,
  MinLength,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { AreProxies } from './are-proxies.js';
import type { Limits } from './limits.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Which engine keeps the index, and where. */
export class MetadataConfig {
  @IsIn(['embedded', 'postgres'])
  readonly driver!: 'embedded' | 'postgres';

  /** Folder of the embedded index; null is `index` under the storage directory. */
  @ValidateIf((config: MetadataConfig) => config.directory !== null)
  @IsString()
  @MinLength(1)
  readonly directory!: string | null;

  /** Of the database of PostgreSQL. It may hold a password. */
  @ValidateIf((config: MetadataConfig) => config.url !== null)
  @IsString()
  readonly url!: string | null;
}

/** Where the certificates lie. */
export class TlsConfig {
  /** Of this process, and those between it and its authority, in PEM. */
  @IsString()
  @MinLength(1)
  readonly certificate!: string;

  @IsString()
  @MinLength(1)
  readonly key!: string;

  /** The authorities by which peers are known; null: those of the system. */
  @ValidateIf((config: TlsConfig) => config.ca !== null)
  @IsString()
  @MinLength(1)
  readonly ca!: string | null;
}

/**
 * The configuration as the whole program sees it: checked, complete and frozen. The keys are those of the configuration file, which is
 * why they are in snake_case. Paths are absolute.
 */
export class AppConfig {
  @IsString()
  @MinLength(1)
  readonly storage_directory!: string;

  @IsInt()
  @Min(1)
  @Max(1000)
  readonly node_count!: number;

  /** Bytes of the sealed stream in one slice. */
  @IsInt()
  @Min(KiB)
  @Max(64 * MiB)
  readonly size_per_slice!: number;

  /** Shards of fewer bytes than this share files (packs) on a node; larger ones have one each. 0: all have one each. */
  @IsInt()
  @Min(0)
  @Max(256 * KiB)
  readonly pack_below!: number;

  /** Nodes that may be lost without losing a file. */
  @IsInt()
  @Min(0)
  @Max(254)
  readonly redundancy_count!: number;

  /** Copies of each slice, or stripes of several slices with parity; `auto`: copies for small files only. */
  @IsIn(['replicate', 'erasure', 'auto'])
  readonly redundancy_scheme!: 'replicate' | 'erasure' | 'auto';

  @IsArray()
  @IsString({ each: true })
  @ArrayUnique()
  readonly peers!: readonly string[];

  @IsString()
  @MinLength(1)
  readonly listen!: string;

  /** 0 lets the system choose a free one. */
  @IsInt()
  @Min(0)
  @Max(65_535)
  readonly port!: number;

  @ValidateIf((config: AppConfig) => config.cluster_secret !== null)
  @IsString()
  @MinLength(32)
  readonly cluster_secret!: string | null;

  /** With it the server speaks HTTPS, and nothing else. */
  @ValidateIf((config: AppConfig) => config.tls !== null)
  @IsObject()
  @ValidateNested()
  @Type(() => TlsConfig)
  readonly tls!: TlsConfig | null;

  /** Seconds for which a node is down before what lay on it is restored elsewhere. */
  @IsInt()
  @Min(0)
  @Max(30 * 86_400)
  readonly repair_after!: number;

  /**
   * Seconds for which no peer that answers has heard the gateway before another one takes over by itself; null: a person does. Only where the index
   * does not go with the gateway.
   */
  @ValidateIf((config: AppConfig) => config.takeover_after !== null)
  @IsInt()
  @Min(3)
  @Max(86_400)
  readonly takeover_after!: number | null;

  /** The key ring's file; null is `key-ring.json` under the storage directory. */
  @ValidateIf((config: AppConfig) => config.key_ring !== null)
  @IsString()
  @MinLength(1)
  readonly key_ring!: string | null;

  /** Who may register: who is invited by an administrator, everybody, or nobody. */
  @IsIn(['invited', 'open', 'closed'])
  readonly registration!: 'invited' | 'open' | 'closed';

  /** Origins of web pages elsewhere that may use the server, like `https://drive.example.org`. */
  @IsArray()
  @ArrayUnique()
  @Matches(/^https?:\/\/[a-z0-9.:[\]-]+$/, {
    each: true,
    message: 'each of cors_origins must be an origin: scheme, host and port, in lower case, and no path',
  })
  readonly cors_origins!: readonly string[];

  /** Proxies whose word counts for who sent a request (`X-Forwarded-For`): addresses and networks. */
  @IsArray()
  @ArrayUnique()
  @AreProxies()
  readonly trusted_proxies!: readonly string[];

  @IsObject()
  @ValidateNested()
  @Type(() => MetadataConfig)
  readonly metadata!: MetadataConfig;

  /** Which calls go on record: what changes something, or all; null: what changes something, once there are accounts. */
  @ValidateIf((config: AppConfig) => config.audit !== null)
  @IsIn(['changes', 'all', 'off'])
  readonly audit!: 'changes' | 'all' | 'off' | null;

  /** Seconds between two backups that the server writes to its own nodes; 0: none. */
  @IsInt()
  @Min(0)
  @Max(30 * 86_400)
  readonly backup_interval!: number;

  @IsIn(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
  readonly log_level!: string;

  @IsObject()
  readonly limits!: Limits;

  /** Which of the peers this process is; null if all nodes are folders of this process. No key of the file: `--node` or the port says it. */
  readonly node!: number | null;
}
