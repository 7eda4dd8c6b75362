/** Something that went wrong, and what it happened to, such as a path. */
export class SubjectError extends Error {
  override readonly name = 'SubjectError';

  constructor(
    readonly subject: string,
    override readonly cause: unknown,
  ) {
    super(subject);
  }
}

/** Does something with a subject: if it fails, the person is told with which. */
export async function about<Result>(subject: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw new SubjectError(subject, cause);
  }
}
