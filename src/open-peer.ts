import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OpenAPIObject } from '@nestjs/swagger';
import { Logger } from 'nestjs-pino';
import type { ClusterMember } from './cluster/cluster-member.js';
import type { ClusterRole } from './cluster/cluster-role.js';
import type { ForwardProof } from './cluster/forward-proof.js';
import { requireLocal } from './cluster/client-edge.js';
import { Forwarder } from './cluster/forwarder.js';
import { GatewayWatch } from './cluster/gateway-watch.js';
import { MemberNodes } from './cluster/member-nodes.js';
import { PeerModule } from './cluster/peer.module.js';
import { DomainError } from './common/errors.js';
import type { ClusterId } from './common/ids.js';
import { adapterOf, createNest, describeApi } from './create-app.js';
import { Delegations } from './delegation/delegations.service.js';
import { DelegationModule } from './delegation/delegation.module.js';
import type { DeskCalls } from './delegation/gateway-desk.js';
import { answerProblem } from './http/answer-problem.js';
import { forwarderOf } from './http/forwarded.js';
import { ProgramLogger } from './http/program-logger.js';
import { RequestLog } from './http/request-log.js';
import type { PeerClient } from './nodes/peer/peer-client.js';
import { NodeError } from './nodes/storage-node.js';
import { serveDocument } from './openapi.js';

/** What a peer answers by itself; all else goes to the gateway. */
const OWN = /^\/(?:health|metrics|docs|openapi\.(?:json|yaml))(?=[/?-]|$)/;

/** Of that, what is of interest to who runs the process, and to nobody else. */
const OF_PROCESS = /^\/metrics(?=[/?-]|$)/i;

/** Of the time for which a connection may be silent: the client is to hear of it before its own connection is closed. */
const SILENCE_SHARE = 0.75;

/** Opens the role of a peer: it passes requests on to the gateway. */
export async function openPeer(member: ClusterMember, proof: ForwardProof): Promise<ClusterRole> {
  // First, because it takes Nest's logger away.
  const document = await describeApi(member.config);
  const nodes = new MemberNodes(member);
  try {
    return await openOn(nodes, { member, proof, document });
  } catch (error) {
    await nodes.close();
    throw error;
  }
}

interface PeerParts {
  readonly member: ClusterMember;
  readonly proof: ForwardProof;
  readonly document: OpenAPIObject;
}

async function openOn(nodes: MemberNodes, { member, proof, document }: PeerParts): Promise<ClusterRole> {
  const { config, number } = member;
  const watch = new GatewayWatch(member);
  const delegation = DelegationModule.forRoot({
    live: member.live,
    registry: nodes.registry,
    desk: deskOf(member),
    clusterId: () => member.map?.clusterId,
  });
  const app = await createNest(PeerModule.forRoot(config.log_level, watch, [delegation]), config);
  app.useLogger(new ProgramLogger(app.get(Logger)));
  app.flushLogs();
  serveDocument(app, document);
  const delegations = app.get(Delegations);
  const forwarder = new Forwarder({
    number,
    proof,
    tls: member.tls,
    silenceMsMax: SILENCE_SHARE * config.limits.idle_ms_max,
    relearn: () => watch.relearn(),
    taker: delegations,
  });
  watch.onSilence((isSilent) => forwarder.note(isSilent));
  const log = app.get(RequestLog);
  const adapter = adapterOf(app);
  adapter.serveDirectly((request, response) => {
    if (!OWN.test(request.url ?? '')) log.follow(request, response, () => void passOn({ request, response }, watch, forwarder));
    else if (mayAsk(request, response)) adapter.answerByExpress(request, response);
  });
  await app.init();
  watch.start();
  return {
    name: 'peer',
    answer: (request, response) => adapter.answer(request, response),
    heard: () => ({ hears: watch.hears ?? null, ...(watch.keys === undefined ? {} : { keys: watch.keys }) }),
    silentMs: () => watch.silentMs,
    reload: () => Promise.resolve().then(() => member.reload()),
    close: async () => {
      await watch.stop();
      forwarder.close();
      // A download that has begun goes on, whatever this process is from now on; when the process ends there are none any more.
      const rest = delegations.rest().then(() => nodes.close());
      await app.close();
      if (delegations.isIdle) await rest;
      else rest.catch((error: unknown) => app.get(Logger).error({ err: error }, 'the nodes of a peer could not be left'));
    },
  };
}

function mayAsk(request: IncomingMessage, response: ServerResponse): boolean {
  try {
    if (OF_PROCESS.test(request.url ?? '')) requireLocal(request);
    return true;
  } catch (error) {
    answerProblem(error, { request, response });
    return false;
  }
}

async function passOn(
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
  watch: GatewayWatch,
  forwarder: Forwarder,
): Promise<void> {
  const problem =
    forwarderOf(exchange.request) === undefined
      ? watch.problem()
      : 'a peer passed this on to a process that does not hold the index';
  // One that is the gateway since a moment ago was not asked yet.
  const target = problem === undefined ? (watch.target() ?? (await watch.relearn())) : undefined;
  if (target !== undefined) forwarder.forward(target, exchange);
  else
    answerProblem(
      new DomainError('gateway-unavailable', problem ?? 'the process that holds the index does not answer'),
      exchange,
    );
}

/** The desk of whichever process the newest map names. */
function deskOf(member: ClusterMember): DeskCalls {
  const call = async <Result>(run: (gateway: PeerClient, clusterId: ClusterId) => Promise<Result>): Promise<Result> => {
    const { map, clients } = member;
    const gateway = map && clients.get(map.gateway);
    if (map === undefined || gateway === undefined)
      throw new NodeError('unavailable', 'no other process is known to be the gateway');
    return run(gateway, map.clusterId);
  };
  return {
    layout: (versionId, page, signal) => call((gateway, clusterId) => gateway.layout(clusterId, { versionId, page }, signal)),
    lease: (leases, signal) => call((gateway, clusterId) => gateway.lease(clusterId, leases, signal)),
    damaged: (found, signal) => call((gateway, clusterId) => gateway.damaged(clusterId, found, signal)),
  };
}
