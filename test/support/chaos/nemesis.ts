import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../crash/random.ts';
import type { Findings } from '../crash/violation.ts';
import { type ChaosTarget, type Deed, type DeedKind, spellDeed } from './chaos-target.ts';
import type { LinkFault } from './fault-proxy.ts';

const HOUR_MS = 3_600_000;
const FOR_EVER_MS = 2 ** 31 - 1;

export interface NemesisParts {
  readonly target: ChaosTarget;
  readonly random: Random;
  readonly findings: Findings;
  readonly say: (line: string) => void;
  /** For how long a deed lasts at the most. */
  readonly holdMsMax: number;
  /** Pause between the beginnings of two deeds at the most. */
  readonly gapMsMax: number;
}

/** Does harm to a store by seed, and makes it good again; never to more nodes at once than the store has promised to bear. */
export class Nemesis {
  /** How often each was done. */
  readonly counts = new Map<DeedKind, number>();
  private readonly parts: NemesisParts;
  private readonly began = Date.now();
  /** Under way: from before it is begun until the store is again what it was. */
  private readonly deeds = new Set<Deed>();

  constructor(parts: NemesisParts) {
    this.parts = parts;
  }

  /** The nodes that are struck now. */
  get away(): ReadonlySet<number> {
    const { target } = this.parts;
    return new Set([...this.deeds].filter((deed) => target.cost(deed) !== 'none').map(({ node }) => node));
  }

  /** One deed after the other, also several at once, until the signal; resolves when all is good again. */
  async disturb(signal: AbortSignal): Promise<void> {
    const { random, gapMsMax, holdMsMax, target } = this.parts;
    if (Object.keys(target.deeds).length === 0) await pause(FOR_EVER_MS, signal);
    const running = new Set<Promise<void>>();
    while (!signal.aborted) {
      // All is drawn before it is known if it can be done: what follows does not depend on when the last one ended.
      const [deed, holdMs, gapMs] = [this.draw(), random.between(200, holdMsMax), random.between(100, gapMsMax)];
      if (this.allows(deed)) {
        const performed = this.perform(deed, holdMs, signal).finally(() => running.delete(performed));
        running.add(performed);
      }
      await pause(gapMs, signal);
    }
    await Promise.all(running);
  }

  /** Does these at once, and lets them last until `heal`. */
  async strike(deeds: readonly Deed[]): Promise<void> {
    await Promise.all(deeds.map((deed) => this.begin(deed)));
  }

  /** As many nodes as the store bears are struck, each in a way of its own. */
  drawStrike(kinds: readonly DeedKind[]): readonly Deed[] {
    const { target, random } = this.parts;
    const nodes = Array.from({ length: target.nodes }, (_, at) => at + 1).filter((node) => node !== target.gateway);
    const deeds: Deed[] = [];
    for (let left = Math.min(target.redundancy, nodes.length); left > 0; left -= 1) {
      const [node] = nodes.splice(random.below(nodes.length), 1);
      const kind = random.pick(kinds);
      // While all is read, a link that is only slow would be no loss, and take for ever.
      const isSilent = kind === 'cut' && random.chance(0.5);
      const how = kind === 'cut' ? { fault: isSilent ? { isSilent } : { resetShare: 1 } } : {};
      deeds.push({ kind, node: node ?? 0, ...how });
    }
    return deeds;
  }

  /** Makes all good that is wrong. */
  async heal(): Promise<void> {
    await Promise.all([...this.deeds].map((deed) => this.end(deed)));
  }

  private draw(): Deed {
    const { target, random } = this.parts;
    const kind = random.weighted(target.deeds as Record<DeedKind, number>);
    const node = random.between(1, target.nodes);
    return { ...this.detail(kind), node: kind === 'take-over' ? target.gateway : node };
  }

  private detail(kind: DeedKind): Omit<Deed, 'node'> {
    const { random, target } = this.parts;
    if (kind === 'cut')
      return { kind, fault: this.drawFault(), direction: random.pick(['to', 'from', undefined, undefined] as const) };
    if (kind === 'skew') return { kind, offsetMs: random.pick([-24 * HOUR_MS, -HOUR_MS, -5000, 5000, HOUR_MS, 24 * HOUR_MS]) };
    if (kind === 'database') return { kind, isFrozen: random.chance(0.5) };
    if (kind === 'take-over') {
      const others = Array.from({ length: target.nodes }, (_, at) => at + 1).filter((node) => node !== target.gateway);
      return { kind, heir: random.pick(others), isFrozen: random.chance(0.5) };
    }
    return { kind };
  }

  private drawFault(): LinkFault {
    const { random } = this.parts;
    return random.pick<LinkFault>([
      { isSilent: true },
      { isSilent: true },
      { resetShare: 1 },
      { resetShare: 0.05 },
      { delayMs: random.between(20, 500), jitterMs: 200 },
      { bytesPerSecond: random.between(2000, 100_000) },
      { flipShare: 0.02 },
      { flipShare: 0.5 },
    ]);
  }

  /** True if what is wrong already and this together are no more than what was promised. */
  private allows(deed: Deed): boolean {
    const { target } = this.parts;
    const others = [...this.deeds];
    const costs = others.map((other) => target.cost(other));
    const cost = target.cost(deed);
    if (costs.includes('alone') || (cost === 'alone' && others.length > 0)) return false;
    if (others.some(({ node, kind }) => node === deed.node || (cost === 'none' && kind === deed.kind))) return false;
    if (cost === 'none') return !costs.includes('none');
    return cost === 'alone' || costs.filter((each) => each === 'node').length < target.redundancy;
  }

  private async perform(deed: Deed, holdMs: number, signal: AbortSignal): Promise<void> {
    await this.begin(deed);
    await pause(holdMs, signal);
    await this.end(deed);
  }

  private async begin(deed: Deed): Promise<void> {
    this.deeds.add(deed);
    this.counts.set(deed.kind, (this.counts.get(deed.kind) ?? 0) + 1);
    await this.attempt(deed, 'begins', () => this.parts.target.begin(deed));
  }

  private async end(deed: Deed): Promise<void> {
    await this.attempt(deed, 'is made good', () => this.parts.target.end(deed));
    this.deeds.delete(deed);
  }

  private async attempt(deed: Deed, step: string, act: () => Promise<void>): Promise<void> {
    const { findings, say } = this.parts;
    const words = `${spellDeed(deed)} ${step}`;
    findings.note('deed', { words, ...deed });
    say(`${((Date.now() - this.began) / 1000).toFixed(1)} s: ${words}`);
    try {
      await act();
      findings.note('deed-done', { words });
    } catch (error) {
      findings.report('failed-process', `${words}: ${String(error)}`);
    }
  }
}

/** A sleep that a signal cuts short. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
