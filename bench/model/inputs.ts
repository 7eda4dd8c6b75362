/** A number that the model starts from. */
export interface Input {
  readonly value: number;
  readonly unit: string;
  /** Which run measured it, or who assumed it. */
  readonly from: string;
}

const MEASURE = '`npm run bench:model -- --measure`';

/**
 * What was measured, on two cores with a load of 4 to 20: rough, so replace them with what `--measure` says on machines like yours. What the program
 * decides by itself (limits, shapes, layouts) is not here: it is read from its code.
 */
export const MEASURED = {
  embedded_index_bytes_per_file: {
    value: 581,
    unit: 'bytes on disk for a file of one stripe',
    from: '`npm run bench:index`, 1,000,000 files',
  },
  embedded_index_bytes_per_layout_byte: { value: 1.06, unit: 'bytes on disk', from: MEASURE },
  postgres_index_bytes_per_file: {
    value: 1124,
    unit: 'bytes on disk for a file of one stripe',
    from: '`npm run bench:index`, 200,000 files',
  },
  postgres_index_bytes_per_layout_byte: { value: 1.06, unit: 'bytes on disk', from: MEASURE },
  embedded_rebuild_records_per_second: { value: 4480, unit: 'records/s', from: MEASURE },
  postgres_rebuild_records_per_second: { value: 800, unit: 'records/s', from: MEASURE },
  embedded_walk_us_per_file: { value: 24, unit: 'µs', from: MEASURE },
  postgres_walk_us_per_file: { value: 49, unit: 'µs', from: MEASURE },
  node_bytes_beside_a_small_body: { value: 530, unit: 'bytes in packs for a copy', from: MEASURE },
  node_memory_bytes_per_entry: { value: 84, unit: 'bytes', from: '`bench/node-open.ts`, 1,000,000 shards' },
  gateway_cpu_ms_per_small_put: { value: 0.81, unit: 'ms of one core', from: MEASURE },
  gateway_cpu_ms_per_small_get: { value: 0.57, unit: 'ms of one core', from: MEASURE },
  gateway_cpu_ms_per_mib_put_replicate: { value: 4.9, unit: 'ms of one core', from: MEASURE },
  gateway_cpu_ms_per_mib_get_replicate: { value: 2.2, unit: 'ms of one core', from: MEASURE },
  gateway_cpu_ms_per_mib_put_erasure: { value: 4.4, unit: 'ms of one core', from: MEASURE },
  gateway_cpu_ms_per_mib_get_erasure: { value: 2.2, unit: 'ms of one core', from: MEASURE },
  gateway_cpu_ms_per_delegated_put: { value: 3.1, unit: 'ms of one core, beside what its node has of it', from: MEASURE },
  gateway_cpu_ms_per_delegated_get: { value: 1.5, unit: 'ms of one core, beside what its node has of it', from: MEASURE },
  repair_versions_per_second: { value: 260, unit: 'files of 4 KiB/s', from: MEASURE },
} as const satisfies Record<string, Input>;

export type InputName = keyof typeof MEASURED;

/** What nobody measured here: a machine to plan with. Put yours in its place. */
export const ASSUMED = {
  node_bytes: { value: 16e12, unit: 'bytes on the node that is lost', from: 'a large disk' },
  disk_bytes_per_second: { value: 200e6, unit: 'bytes/s, reads and writes together', from: 'a hard disk' },
  annual_loss_rate: { value: 0.02, unit: 'of the nodes in a year', from: 'disks and what is around them' },
} as const satisfies Record<string, Input>;
