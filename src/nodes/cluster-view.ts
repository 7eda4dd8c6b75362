/** What `/nodes` says of the processes behind the nodes. */
export class ClusterView {
  /** Why a peer is not taken for what the configuration says it is: of another cluster, or with another idea of it. By node. */
  readonly disagreements = new Map<number, string>();

  constructor(
    /** The number of the node whose process holds the index. */
    readonly gateway: number,
    /** Where each is at this moment, by number from 1. */
    private readonly peers: () => readonly string[],
  ) {}

  /** What goes for node `number`, without what does not apply. */
  describe(number: number): { readonly peer?: string; readonly disagreement?: string } {
    const peer = this.peers()[number - 1];
    const disagreement = this.disagreements.get(number);
    return { ...(peer === undefined ? {} : { peer }), ...(disagreement === undefined ? {} : { disagreement }) };
  }
}
