import { Counter, Gauge, type Registry } from 'prom-client';

/** What a metric is called, and what it says. */
interface Named {
  readonly name: string;
  readonly help: string;
}

/** A gauge of a value that somebody else keeps: it is read when the metrics are. */
export function gaugeOf(registry: Registry, named: Named, value: () => number): void {
  new Gauge({
    ...named,
    registers: [registry],
    collect(): void {
      this.set(value());
    },
  });
}

/** A counter that somebody else keeps: it is read when the metrics are. */
export function counterOf(registry: Registry, named: Named, value: () => number): void {
  new Counter({
    ...named,
    registers: [registry],
    collect(): void {
      this.reset();
      this.inc(value());
    },
  });
}
