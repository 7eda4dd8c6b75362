/** The part of the converter that we use; it brings no types. */
declare module 'openapi-to-postmanv2' {
  interface Result {
    readonly result: boolean;
    readonly reason?: string;
    readonly output?: readonly { readonly data: unknown }[];
  }

  const converter: {
    convertV2(
      input: { readonly type: 'string'; readonly data: string },
      options: Readonly<Record<string, unknown>>,
      done: (error: Error | null, result: Result) => void,
    ): void;
  };
  export default converter;
}
