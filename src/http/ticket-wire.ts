/*
 * What the gateway and a peer that takes tickets say to each other in the messages of a request that was passed on (docs/peer-protocol.md).
 */

/** The header of an answer, also of an interim one, that comes with a ticket; its value proves the ticket. */
export const DELEGATED_HEADER = 'x-dcloud-delegated';
/** The header of an interim answer that has the ticket, in base64url. */
export const TICKET_HEADER = 'x-dcloud-ticket';
/** The header of a request by which a peer that would store the body itself says how long that is. */
export const LENGTH_HEADER = 'x-dcloud-length';

/** The first byte of what a peer sends that was given a ticket for an upload; this one, any number of times, only says that it is at it. */
export const AT_IT = 0;
/** Behind it: the proof of the report, and the report, to the end. */
export const REPORT = 1;
/** Behind it: the body, since the peer cannot store it. */
export const BODY = 2;

export const PROOF_CHARACTERS = 43;
/** A manifest with its ids, and what goes with it. */
export const TICKET_BYTES_MAX = 1024 * 1024;
/** One page of a layout, of as many nodes as there can be, and what goes with it. */
export const REPORT_BYTES_MAX = 16 * 1024 * 1024;
