/** A half-open range of bytes: `from` included, `to` not. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}
