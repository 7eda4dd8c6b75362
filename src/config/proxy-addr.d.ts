/** The part that we use; it brings no types. */
declare module 'proxy-addr' {
  type Trust = (address: string, hop: number) => boolean;

  const proxyAddr: {
    /** @throws TypeError if one is neither an address, nor a network, nor the name of some */
    compile(addresses: readonly string[]): Trust;
    /** The addresses that a request came by, the nearest one first, up to the first that is not trusted. */
    all(request: import('node:http').IncomingMessage, trust: Trust): string[];
  };
  export default proxyAddr;
}
