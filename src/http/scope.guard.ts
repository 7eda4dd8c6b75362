import type { IncomingMessage } from 'node:http';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Access, type AccessRule } from './access.js';
import { principalOf, requireScope, type Scope } from './principal.js';

/** Lets a principal call what its scopes allow. Who it is, the gate before Express has found out. */
@Injectable()
export class ScopeGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const said = this.reflector.getAllAndOverride<AccessRule | undefined>(Access, [context.getHandler(), context.getClass()]);
    const rule = said ?? 'admin';
    if (rule === 'open') return true;
    const request = context.switchToHttp().getRequest<IncomingMessage>();
    const principal = principalOf(request);
    if (rule !== 'known') requireScope(principal, rule === 'by-method' ? scopeFor(request.method) : rule);
    return true;
  }
}

/** What a request needs that reads or changes something of its own. */
export function scopeFor(method: string | undefined): Scope {
  return method === 'GET' || method === 'HEAD' ? 'read' : 'write';
}
