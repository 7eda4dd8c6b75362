const KiB = 1024;
const MiB = 1024 * KiB;

/** Every limit of the program, with its unit in its name. `limits` in the configuration replaces single ones. */
export const LIMITS = {
  /** Bytes of one upload; 0 is no limit but the disks'. */
  body_bytes_max: 0,
  /** Bytes of a JSON body (PATCH). */
  json_bytes_max: 16 * KiB,
  /** Bytes of all headers of a request together. */
  header_bytes_max: 16 * KiB,
  /** Bytes of a file's name in UTF-8. */
  name_bytes_max: 1024,
  content_type_bytes_max: 255,
  /** Files on one page of a list. */
  page_files_max: 1000,
  page_files_default: 100,
  /** Stripes of which the layout is spelled out in a file's info. */
  info_stripes_max: 1000,
  accounts_max: 10_000,
  /** API tokens of one account. */
  account_tokens_max: 100,
  /** Attempts to be authenticated that may fail, of one client or with one credential, within `failed_attempts_window_ms`. */
  failed_attempts_max: 20,
  failed_attempts_window_ms: 60_000,
  connections_max: 16_384,
  /** Time for a client to send its request's headers. */
  headers_ms_max: 10_000,
  /** Time for which a connection may stay silent in the middle of a request. */
  idle_ms_max: 60_000,
  /** Time for running requests to end after SIGTERM. */
  shutdown_ms_max: 30_000,
  /** Bytes that one request holds in memory between socket and disk (at least two slices, whatever this says). */
  request_bytes_in_flight: 4 * MiB,
  /** Bytes that all requests together hold. */
  process_bytes_in_flight: 224 * MiB,
  /** Time for which a request waits for its share of them before it is answered 503. */
  admission_ms_max: 30_000,
  /** Bytes of small files, sealed, that are kept in memory after they were stored or read; 0: none. */
  small_cache_bytes: 64 * MiB,
  /** Bytes of a body from which on a peer moves it between client and nodes itself, with keys of its own, and not through the gateway; 0 is never. */
  delegate_bytes_min: 1 * MiB,
  /** Slices travel to and from nodes in batches of about this size. */
  batch_bytes: 1 * MiB,
  /** Slices of data in a stripe that is erasure coded. */
  stripe_data_slices_max: 16,
  /** With the redundancy scheme "auto", sealed bodies of at most this size are replicated and larger ones coded. */
  auto_replicated_bytes_max: 1 * MiB,
  /** Time that one call to a node may take. */
  node_call_ms_max: 10_000,
  /** Connections to the database of the index, and so calls to it at once; further ones wait for one that is free. */
  index_connections_max: 16,
  /** Time that one statement may take there. */
  index_call_ms_max: 10_000,
  /** Bytes of a file's shards that are moved to other nodes before the index is told: as much is moved again after a crash. */
  move_step_bytes: 256 * MiB,
  /** A read is asked of another copy too when it takes longer than such reads of that node usually do, but not sooner than this. */
  hedge_ms_min: 10,
  /** And not later than this. */
  hedge_ms_max: 250,
  /** Such further requests for 100 reads, over time. */
  hedge_percent: 10,
  /** And at once, after a quiet time. */
  hedge_burst: 128,
  /** A write that takes longer than this, and much longer than usual, moves to another node if there is one. */
  write_slow_ms_min: 500,
  /** Connections to one peer; further calls wait for one that is free. */
  peer_connections_max: 64,
  /** Calls of peers that are served at once. */
  peer_calls_max: 256,
  /** Bytes of the body of one call to a peer. */
  peer_body_bytes_max: 288 * MiB,
  /** Bytes of the bodies that all calls of peers hold in memory together. */
  peer_bytes_in_flight: 512 * MiB,
  /** How far the clocks of two peers may lie apart. */
  peer_clock_ms_max: 30_000,
  /** Bytes that repair and other moves may copy in a second; 0 is no limit but the disks', and those who wait for them. */
  repair_bytes_per_second: 64 * MiB,
  /** Shards that are known to be damaged, at the most; what is beyond is found again. */
  damage_max: 100_000,
  /** Time in which every shard and record is proven once. */
  scrub_interval_hours: 720,
  /** Bytes that a scrub which was asked for reads in a second, and a scheduled one at the most. */
  scrub_bytes_per_second: 64 * MiB,
  probe_interval_ms: 1000,
  probe_ms_max: 750,
  /** A node that went down three times within this has to answer several probes in a row before it counts as up. */
  flap_window_ms: 60_000,
  /** A node with less free space than this takes no new shards. */
  node_bytes_free_min: 64 * MiB,
  /** Bytes of a pack, in which small shards and records lie; the next one is begun when it is full. */
  pack_bytes_max: 64 * MiB,
  /** A pack with a larger share of dead bytes than this is compacted at once, in per cent. */
  compact_dead_percent: 50,
  /** When a node rests, so is one with more than this, in per cent. */
  compact_rest_dead_percent: 4,
  /** Time without a write after which a node rests. */
  compact_rest_ms: 10_000,
  /** Bytes that compaction may move on one node in a second. */
  compact_bytes_per_second: 32 * MiB,
  /** Bytes of a file of the audit log; the next one is begun when it is full. */
  audit_file_bytes_max: 64 * MiB,
  /** Files of it that are kept. */
  audit_files_max: 16,
  /** Lines of it that wait for the disk; more are dropped and counted. */
  audit_lines_waiting_max: 16_384,
  /** Backups on the nodes that are kept. */
  backups_kept_max: 3,
  /** Pause after a backup that failed, before it is tried again. */
  backup_retry_ms: 60_000,
  /** Age at which what no file needs counts as left behind; before that it may belong to an upload that is on its way. */
  orphan_grace_ms: 3_600_000,
  /** Pause between two walks over the nodes for shards that belong to nothing. */
  sweep_interval_ms: 3_600_000,
  /** Pause between two attempts to delete garbage from nodes that could not be reached. */
  collect_interval_ms: 5000,
  /** Time for the second half of a registration, a login or a change of a password. */
  login_ms_max: 60_000,
  /** Logins and registrations under one user name that fail within the window. */
  login_attempts_max: 20,
  login_attempts_window_ms: 900_000,
  /** Exchanges of which the second half has not come. */
  logins_pending_max: 10_000,
  /** Time without a request after which a session is over. */
  session_idle_ms: 3_600_000,
  /** Time after which it is over anyway. */
  session_ms_max: 43_200_000,
  /** Sessions of an account; of more, the oldest end. */
  account_sessions_max: 50,
  /** Time for which an invitation can be used. */
  invitation_ms_max: 604_800_000,
  /** Time without a new part after which an upload into a drive is removed. */
  drive_upload_idle_ms: 604_800_000,
  /** Pause between two walks over all drives for what belongs to nothing. */
  drive_sweep_interval_ms: 86_400_000,
} as const satisfies Record<string, number>;

export type Limits = { readonly [Key in keyof typeof LIMITS]: number };

const MAY_BE_ZERO: ReadonlySet<string> = new Set([
  'body_bytes_max',
  'small_cache_bytes',
  'delegate_bytes_min',
  'node_bytes_free_min',
  'orphan_grace_ms',
  'hedge_percent',
  'hedge_burst',
  'repair_bytes_per_second',
]);
/** What fits into one entry of a pack has to fit into a pack. */
const PACK_BYTES_LEAST = 1 * MiB;
/** Positions in a pack are kept in 32 bits. */
const PACK_BYTES_MOST = 1024 * MiB;

/** What may come with the shards of one call to a peer: two of the longest records, and ids. */
const PEER_BODY_REST_BYTES = 48 * MiB;

/** What a timer of Node.js can hold; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A frozen node is down after the pause until the next probe and two probes without an answer, and that within 3 s. */
const FROZEN_MS_MAX = 2800;

/** What is wrong with the limits, in words: the first value out of bounds, or the first relation between them that does not hold. */
export function brokenLimit(limits: Limits, sliceBytes: number): string | undefined {
  return (
    brokenValue(limits) ?? brokenPatience(limits) ?? brokenRelation(limits, sliceBytes) ?? brokenPeerRelation(limits, sliceBytes)
  );
}

function brokenValue(limits: Limits): string | undefined {
  for (const [key, value] of Object.entries(limits)) {
    const least = MAY_BE_ZERO.has(key) ? 0 : 1;
    const most = key.includes('_ms') ? TIMER_MS_MAX : Number.MAX_SAFE_INTEGER;
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      return `limits.${key} is ${value}: it must be a whole number from ${least} to ${most}`;
    }
  }
  return undefined;
}

/** How long nodes are waited for. */
function brokenPatience(limits: Limits): string | undefined {
  if (limits.probe_interval_ms + 2 * limits.probe_ms_max > FROZEN_MS_MAX) {
    return `limits.probe_interval_ms plus twice limits.probe_ms_max must not exceed ${FROZEN_MS_MAX}: a frozen node must be seen within 3 s`;
  }
  if (limits.hedge_ms_min > limits.hedge_ms_max) return 'limits.hedge_ms_min must not exceed limits.hedge_ms_max';
  if (limits.hedge_percent > 100) return 'limits.hedge_percent must not exceed 100';
  if (limits.write_slow_ms_min > limits.node_call_ms_max)
    return 'limits.write_slow_ms_min must not exceed limits.node_call_ms_max: by then the call has failed';
  return undefined;
}

function brokenRelation(limits: Limits, sliceBytes: number): string | undefined {
  if (limits.page_files_default > limits.page_files_max) return 'limits.page_files_default must not exceed limits.page_files_max';
  if (limits.name_bytes_max > 1024) return 'limits.name_bytes_max must not exceed 1024: a name is part of a key of the index';
  if (2 * limits.batch_bytes > limits.request_bytes_in_flight) {
    return 'limits.batch_bytes must not exceed half of limits.request_bytes_in_flight: one batch fills while another is on its way';
  }
  if (limits.pack_bytes_max < PACK_BYTES_LEAST || limits.pack_bytes_max > PACK_BYTES_MOST)
    return `limits.pack_bytes_max must be from ${PACK_BYTES_LEAST} to ${PACK_BYTES_MOST}`;
  if (limits.compact_dead_percent > 100 || limits.compact_rest_dead_percent > limits.compact_dead_percent)
    return 'limits.compact_rest_dead_percent must not exceed limits.compact_dead_percent, nor that 100';
  const least = requestBytesInFlight(limits, sliceBytes);
  if (limits.process_bytes_in_flight < least)
    return `limits.process_bytes_in_flight must be at least ${least}: what one request holds`;
  return undefined;
}

function brokenPeerRelation(limits: Limits, sliceBytes: number): string | undefined {
  if (limits.peer_bytes_in_flight < limits.peer_body_bytes_max)
    return 'limits.peer_bytes_in_flight must be at least limits.peer_body_bytes_max: one call has to fit';
  const least = Math.max(2 * limits.batch_bytes, sliceBytes) + PEER_BODY_REST_BYTES;
  if (limits.peer_body_bytes_max < least)
    return `limits.peer_body_bytes_max must be at least ${least}: a batch has to fit into a call`;
  return undefined;
}

/** Bytes that one request may hold in memory: the limit, or two slices if that is more (one filling, one on its way). */
export function requestBytesInFlight(limits: Limits, sliceBytes: number): number {
  return Math.max(limits.request_bytes_in_flight, 2 * sliceBytes);
}
