/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why an operation has probably failed: the errno says little, the host and the plan together often
 * say it exactly. Pure, so that every cause is a test with a host made up for it.
 */
#ifndef HOY_PLAN_CAUSES_H
#define HOY_PLAN_CAUSES_H

struct host;
struct plan;

/** What has failed. */
enum failure {
	/** clone3(2) with the plan's namespaces. */
	FAILURE_NAMESPACES,
	/** A map that hoy writes itself. */
	FAILURE_ID_MAP,
	/** newuidmap(1) and newgidmap(1); their status says nothing. */
	FAILURE_UID_HELPER,
	FAILURE_GID_HELPER,
	/** A mount of type proc, of another type, a bind without and with what is below. */
	FAILURE_PROC,
	FAILURE_MOUNT,
	FAILURE_BIND,
	FAILURE_RBIND,
	FAILURES,
};

/**
 * @param host  with its causes probed
 * @param code  errno, positive; 0 = unknown
 * @returns a hint for the user, or NULL if nothing is known
 */
const char *cause_find(const struct host *host, const struct plan *plan, enum failure failure,
		       int code);

#endif
