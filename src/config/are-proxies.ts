import { ValidateBy } from 'class-validator';
import proxyAddr from 'proxy-addr';

/** Each is an address or a network, as `proxy-addr` and so Express understand it. */
export function AreProxies(): PropertyDecorator {
  return ValidateBy(
    {
      name: 'areProxies',
      validator: {
        validate: isProxy,
        defaultMessage: () => 'each of trusted_proxies must be an IP address, or a network like 10.0.0.0/8',
      },
    },
    { each: true },
  );
}

function isProxy(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    proxyAddr.compile([value]);
    return true;
  } catch {
    return false;
  }
}
