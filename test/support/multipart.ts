export interface FormPart {
  /** What follows `Content-Disposition: form-data; `, as UTF-8. */
  readonly disposition: string;
  readonly contentType?: string;
  readonly body: string | Uint8Array;
}

export const BOUNDARY = '------------------------d74496d66958873e';
export const FORM_HEADERS = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };

/** A form as clients write it, byte for byte. */
export function form(...parts: readonly FormPart[]): Buffer<ArrayBuffer> {
  const pieces = parts.flatMap(({ disposition, contentType, body }) => [
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n`),
    Buffer.from(contentType === undefined ? '\r\n' : `Content-Type: ${contentType}\r\n\r\n`),
    Buffer.from(body),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}
