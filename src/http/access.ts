import { Reflector } from '@nestjs/core';
import type { Scope } from './principal.js';

/** Who may call a route: anybody, even unknown; whoever is known; who has a scope; who has the one that the method needs. */
export type AccessRule = 'open' | 'known' | 'by-method' | Scope;

/** Says so on a controller or a method of it; without it a route is for administrators. */
export const Access = Reflector.createDecorator<AccessRule>();
