/** Codes of certificates that are not taken, all of which come before anything else of a connection. */
const OF_CERTIFICATES =
  /^(?:CERT_|CRL_|SELF_SIGNED_|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS_CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_)/;

/** Whether an error of a connection is that the other side did not prove by its certificate to be who it is to be. */
export function isTlsTrouble(code: string): boolean {
  return OF_CERTIFICATES.test(code);
}
