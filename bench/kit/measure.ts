import { type LoadSize, type NextRequest, runLoad } from '../load.ts';
import type { Subject } from '../subject.ts';
import type { Turn } from './trial.ts';

/** What of a server is looked at while it is measured. */
export type Watched = Pick<Subject, 'port' | 'cpuSeconds' | 'peakMiB' | 'resetPeak'>;

interface Measured extends LoadSize {
  /** Of the bodies of one request and its answer, on average. */
  readonly bytesEach: number;
}

/** Puts a load on a server; returns how that turn went. */
export async function measure(
  server: Watched,
  { bytesEach, ...size }: Measured,
  request: (operation: number) => NextRequest,
  onAnswer?: (body: string) => void,
): Promise<Turn> {
  server.resetPeak();
  const cpuBefore = server.cpuSeconds();
  const { seconds, operations, latencies } = await runLoad(server.port, size, request, onAnswer);
  const cpuSeconds = server.cpuSeconds() - cpuBefore;
  return { seconds, operations, latencies, bytes: operations * bytesEach, cpuSeconds, peakMiB: server.peakMiB() };
}
