/** One call, as it is put on record. Neither names of files nor anything secret belongs here. */
export interface AuditEntry {
  /** The id of the credential; `anonymous` if there was none that counts, `store` where there are no accounts or the program did it. */
  readonly who: string;
  /** The method and the template of the route, like `GET /files/{id}`. */
  readonly what: string;
  /** Of what it was done to. */
  readonly id?: string;
  /** The status of the answer, or the code of its error. */
  readonly result: string;
  /** The id of the request. */
  readonly request?: string;
}

/** The record of who did what. */
export abstract class AuditLog {
  /**
   * Puts a call on record, soon and in the order of the calls. Never fails and never waits: what cannot be kept is counted, and the count
   * goes on record as soon as that is possible.
   */
  abstract note(entry: AuditEntry): void;

  /** Resolves when what was noted is durable, or is given up and logged; what is noted afterwards is dropped. Safe to call twice. */
  abstract close(): Promise<void>;
}
