/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns libseccomp's program into a shorter one of the same meaning, by executing it as far as that
 * is possible without knowing the syscall: for each range of numbers that it cannot tell apart,
 * what remains is an action, or the tests of the arguments. Equal remainders become one, and a
 * binary search over the numbers leads to them. Runs in the runtime. Pure; knows nothing of
 * profiles, and takes no instruction for granted.
 */
#include "runtime/seccomp_tree.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sys/cleanup.h"

/* Many times what real profiles need; a hostile one is left as it is. */
#define NODES_MAX 16384
#define STEPS_MAX 50000000

#define LOAD   (BPF_LD | BPF_W | BPF_ABS)
#define AND    (BPF_ALU | BPF_AND | BPF_K)
#define JUMP   (BPF_JMP | BPF_JA)
#define IF_EQ  (BPF_JMP | BPF_JEQ | BPF_K)
#define IF_GT  (BPF_JMP | BPF_JGT | BPF_K)
#define IF_GE  (BPF_JMP | BPF_JGE | BPF_K)
#define IF_SET (BPF_JMP | BPF_JSET | BPF_K)
#define RETURN (BPF_RET | BPF_K)

#define OFFSET_NR   offsetof(struct seccomp_data, nr)
#define OFFSET_ARCH offsetof(struct seccomp_data, arch)

/** An instruction of the result with those that follow it; equal ones exist once. */
struct node {
	uint16_t code;
	uint32_t k;
	/** The node that follows; of a condition that for true and that for false. 0 = none. */
	uint32_t next, otherwise;
	/** Where it stands in the result, 0 = not yet. */
	uint32_t position;
};

struct rewriting {
	const struct sock_filter *insns;
	size_t len;
	const struct seccomp_override *overrides;
	size_t overrides_len;
	/** Numbers at which the program's behaviour may change, sorted, the first is 0. */
	uint32_t *bounds;
	size_t bounds_len;
	/** The node of each range, while one tree is built. */
	uint32_t *ranges;
	/** nodes[0] is not used: 0 is "failed". */
	struct node *nodes;
	uint32_t nodes_len;
	/** Hash table of indices into nodes. */
	uint32_t *table;
	/** Remainders of the present range by instruction: valid where the stamp is the present
	 * one. */
	struct remainder {
		uint32_t stamp, node;
	} * remainders;
	uint32_t stamp;
	uint64_t steps;
	/** 0 or the first -errno. */
	int failed;
	/** The result is written from its end. */
	struct sock_filter *result;
	uint32_t start;
};

/* What is known while the program is executed. */
struct knowledge {
	/** The accumulator is the syscall's number or the architecture, or unknown. */
	enum { UNKNOWN, NUMBER, ARCHITECTURE } accumulator;
	/** The architecture as found by comparison, 0 = not yet. */
	uint32_t arch;
	/** The number, where one is assumed. */
	bool has_number;
	uint32_t number;
};

static uint32_t give_up(struct rewriting *rewriting, int code)
{
	if (rewriting->failed == 0)
		rewriting->failed = -code;
	return 0;
}

/* ---- nodes ---- */

static uint32_t *find_slot(struct rewriting *rewriting, const struct node *node)
{
	uint64_t hash = (node->code * 31ULL + node->k) * 0x9fb21c651e98df25ULL;
	size_t at;

	hash = (hash ^ node->next) * 0x9fb21c651e98df25ULL;
	hash = (hash ^ node->otherwise) * 0x9fb21c651e98df25ULL;
	for (at = hash >> 32;; at++) {
		uint32_t *slot = &rewriting->table[at % (2 * NODES_MAX)];
		const struct node *found = &rewriting->nodes[*slot];

		if (*slot == 0 ||
		    (found->code == node->code && found->k == node->k &&
		     found->next == node->next && found->otherwise == node->otherwise))
			return slot;
	}
}

/* The node of this meaning, made if it is new. @returns its index, 0 on failure */
static uint32_t make_node(struct rewriting *rewriting, uint16_t code, uint32_t k, uint32_t next,
			  uint32_t otherwise)
{
	const struct node node = { .code = code, .k = k, .next = next, .otherwise = otherwise };
	uint32_t *slot;

	if (rewriting->failed)
		return 0;
	slot = find_slot(rewriting, &node);
	if (*slot != 0)
		return *slot;
	if (rewriting->nodes_len == NODES_MAX)
		return give_up(rewriting, E2BIG);
	*slot = rewriting->nodes_len++;
	rewriting->nodes[*slot] = node;
	return rewriting->nodes_len - 1;
}

static uint32_t make_return(struct rewriting *rewriting, uint32_t result)
{
	return make_node(rewriting, RETURN, result, 0, 0);
}

/* Changes the accumulator, unless nothing looks at it any more. */
static uint32_t make_load(struct rewriting *rewriting, uint16_t code, uint32_t k, uint32_t next)
{
	uint16_t following = rewriting->nodes[next].code;

	if (following == RETURN || following == LOAD)
		return next;
	return make_node(rewriting, code, k, next, 0);
}

static uint32_t make_condition(struct rewriting *rewriting, uint16_t code, uint32_t k,
			       uint32_t next, uint32_t otherwise)
{
	return next == otherwise ? next : make_node(rewriting, code, k, next, otherwise);
}

/* ---- execution ---- */

static bool is_condition(uint16_t code)
{
	return code == IF_EQ || code == IF_GT || code == IF_GE || code == IF_SET;
}

static bool is_true(const struct sock_filter *insn, uint32_t value)
{
	switch (insn->code) {
	case IF_EQ:
		return value == insn->k;
	case IF_GT:
		return value > insn->k;
	case IF_GE:
		return value >= insn->k;
	default:
		return value & insn->k;
	}
}

static uint32_t execute(struct rewriting *rewriting, size_t at, struct knowledge known);

/* Both ways of a condition whose outcome is not known. */
static uint32_t execute_both(struct rewriting *rewriting, size_t at, struct knowledge known)
{
	const struct sock_filter *insn = &rewriting->insns[at];
	struct knowledge if_true = known;
	uint32_t next, otherwise;

	if (known.accumulator == ARCHITECTURE && insn->code == IF_EQ)
		if_true.arch = insn->k;
	next = execute(rewriting, at + 1 + insn->jt, if_true);
	otherwise = execute(rewriting, at + 1 + insn->jf, known);
	return make_condition(rewriting, insn->code, insn->k, next, otherwise);
}

static uint32_t find_override(const struct rewriting *rewriting, const struct knowledge *known)
{
	for (size_t i = 0; i < rewriting->overrides_len; i++) {
		const struct seccomp_override *override = &rewriting->overrides[i];

		if (override->arch == known->arch && known->number >= override->first &&
		    known->number < override->end)
			return (uint32_t)i + 1;
	}
	return 0;
}

/* A balanced search among the ranges first <= i < end. */
static uint32_t make_search(struct rewriting *rewriting, size_t first, size_t end)
{
	const uint32_t *ranges = rewriting->ranges;
	size_t middle = first + (end - first) / 2;
	uint32_t next, otherwise;

	if (end - first == 1)
		return ranges[first];
	next = make_search(rewriting, middle, end);
	otherwise = make_search(rewriting, first, middle);
	return make_condition(rewriting, IF_GE, rewriting->bounds[middle], next, otherwise);
}

/* The number was loaded: goes on for each range of numbers by itself. */
static uint32_t execute_by_number(struct rewriting *rewriting, size_t at, struct knowledge known)
{
	uint32_t node;

	known.accumulator = NUMBER;
	known.has_number = true;
	for (size_t i = 0; i < rewriting->bounds_len; i++) {
		uint32_t override;

		known.number = rewriting->bounds[i];
		override = find_override(rewriting, &known);
		rewriting->stamp++;
		if (override)
			node = make_return(rewriting, rewriting->overrides[override - 1].result);
		else
			node = execute(rewriting, at, known);
		rewriting->ranges[i] = node;
	}
	node = make_search(rewriting, 0, rewriting->bounds_len);
	return make_load(rewriting, LOAD, OFFSET_NR, node);
}

static uint32_t execute_load(struct rewriting *rewriting, size_t at, struct knowledge known)
{
	uint32_t k = rewriting->insns[at].k;

	if (k == OFFSET_NR && !known.has_number)
		return execute_by_number(rewriting, at + 1, known);
	known.accumulator = k == OFFSET_NR ? NUMBER : k == OFFSET_ARCH ? ARCHITECTURE : UNKNOWN;
	if (known.accumulator == NUMBER)
		return execute(rewriting, at + 1, known);
	return make_load(rewriting, LOAD, k, execute(rewriting, at + 1, known));
}

/* An instruction whose result is not known is kept. */
static uint32_t execute_unknown(struct rewriting *rewriting, size_t at, struct knowledge known)
{
	struct remainder *remainder = &rewriting->remainders[at];
	const struct sock_filter *insn = &rewriting->insns[at];
	uint32_t node;

	/* With the number given, what follows an unknown accumulator depends on the place alone. */
	if (known.has_number && known.accumulator == UNKNOWN &&
	    remainder->stamp == rewriting->stamp)
		return remainder->node;
	if (is_condition(insn->code)) {
		node = execute_both(rewriting, at, known);
	} else {
		known.accumulator = UNKNOWN;
		node = make_load(rewriting, AND, insn->k, execute(rewriting, at + 1, known));
	}
	if (known.has_number && known.accumulator == UNKNOWN)
		*remainder = (struct remainder){ rewriting->stamp, node };
	return node;
}

/*
 * What is left of the program from instruction `at` on, given what is known.
 * @returns a node, 0 on failure
 */
static uint32_t execute(struct rewriting *rewriting, size_t at, struct knowledge known)
{
	while (!rewriting->failed) {
		const struct sock_filter *insn = rewriting->insns + at;

		if (at >= rewriting->len)
			return give_up(rewriting, ENOTSUP);
		if (rewriting->steps++ == STEPS_MAX)
			return give_up(rewriting, E2BIG);
		if (insn->code == RETURN)
			return make_return(rewriting, insn->k);
		if (insn->code == LOAD)
			return execute_load(rewriting, at, known);
		if (insn->code == JUMP) {
			at = insn->k < rewriting->len ? at + 1 + insn->k : rewriting->len;
			continue;
		}
		if (!is_condition(insn->code) && insn->code != AND)
			return give_up(rewriting, ENOTSUP);
		if (known.accumulator != NUMBER)
			return execute_unknown(rewriting, at, known);
		/* Bits of the number do not follow its order, which the ranges rest on. */
		if (insn->code == AND || insn->code == IF_SET)
			return give_up(rewriting, ENOTSUP);
		at += 1 + (is_true(insn, known.number) ? insn->jt : insn->jf);
	}
	return 0;
}

/* ---- the result, written backwards: what follows an instruction stands there already ---- */

static uint32_t put(struct rewriting *rewriting, uint16_t code, uint32_t k, uint32_t jt,
		    uint32_t jf)
{
	if (rewriting->failed || rewriting->start == 0)
		return give_up(rewriting, E2BIG);
	rewriting->result[--rewriting->start] = (struct sock_filter){
		.code = code,
		.jt = (uint8_t)jt,
		.jf = (uint8_t)jf,
		.k = k,
	};
	return rewriting->start;
}

static void place(struct rewriting *rewriting, uint32_t index);

/* Makes a node that is placed reachable within `reach` instructions, by a copy or a jump. */
static uint32_t bring_near(struct rewriting *rewriting, uint32_t index, uint32_t reach)
{
	struct node *node = &rewriting->nodes[index];

	if (node->position - rewriting->start <= reach)
		return node->position;
	if (node->code == RETURN)
		return node->position = put(rewriting, RETURN, node->k, 0, 0);
	return put(rewriting, JUMP, node->position - rewriting->start, 0, 0);
}

static void place_condition(struct rewriting *rewriting, struct node *node)
{
	uint32_t next, otherwise;

	place(rewriting, node->otherwise);
	place(rewriting, node->next);
	/* The second of them may push the first one instruction further away. */
	otherwise = bring_near(rewriting, node->otherwise, UINT8_MAX - 1);
	next = bring_near(rewriting, node->next, UINT8_MAX);
	node->position = put(rewriting, node->code, node->k, next - rewriting->start,
			     otherwise - rewriting->start);
}

static void place(struct rewriting *rewriting, uint32_t index)
{
	struct node *node = &rewriting->nodes[index];

	if (rewriting->failed || node->position)
		return;
	if (is_condition(node->code)) {
		place_condition(rewriting, node);
		return;
	}
	if (node->code != RETURN) {
		place(rewriting, node->next);
		(void)bring_near(rewriting, node->next, 0);
	}
	node->position = put(rewriting, node->code, node->k, 0, 0);
}

/* ---- setting up ---- */

static int compare_bounds(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

/*
 * Between two neighbours of these numbers no comparison of the program, and no override, makes a
 * difference. Constants that arguments are compared with are among them, which does no harm.
 */
static void find_bounds(struct rewriting *rewriting)
{
	uint32_t *bounds = rewriting->bounds;
	size_t len = 0, unique = 1;

	bounds[len++] = 0;
	for (size_t i = 0; i < rewriting->len; i++) {
		if (!is_condition(rewriting->insns[i].code))
			continue;
		bounds[len++] = rewriting->insns[i].k;
		if (rewriting->insns[i].k < UINT32_MAX)
			bounds[len++] = rewriting->insns[i].k + 1;
	}
	for (size_t i = 0; i < rewriting->overrides_len; i++) {
		bounds[len++] = rewriting->overrides[i].first;
		bounds[len++] = rewriting->overrides[i].end;
	}
	qsort(bounds, len, sizeof(*bounds), compare_bounds);
	for (size_t i = 1; i < len; i++)
		if (bounds[i] != bounds[unique - 1])
			bounds[unique++] = bounds[i];
	rewriting->bounds_len = unique;
}

static int rewrite(struct rewriting *rewriting)
{
	const struct knowledge nothing = { .accumulator = UNKNOWN };
	uint32_t first;

	find_bounds(rewriting);
	rewriting->nodes_len = 1;
	rewriting->stamp = 1;
	rewriting->start = BPF_MAXINSNS;
	first = execute(rewriting, 0, nothing);
	if (!rewriting->failed)
		place(rewriting, first);
	return rewriting->failed;
}

int seccomp_tree(const struct sock_filter *insns, size_t len,
		 const struct seccomp_override *overrides, size_t overrides_len,
		 struct sock_filter *ret_insns)
{
	size_t bounds_max = 1 + 2 * (len + overrides_len);
	autofree uint32_t *bounds = calloc(bounds_max, sizeof(*bounds));
	autofree uint32_t *ranges = calloc(bounds_max, sizeof(*ranges));
	autofree uint32_t *table = calloc(2 * NODES_MAX, sizeof(*table));
	autofree struct node *nodes = calloc(NODES_MAX, sizeof(*nodes));
	autofree struct remainder *remainders = calloc(len, sizeof(*remainders));
	autofree struct sock_filter *result = calloc(BPF_MAXINSNS, sizeof(*result));
	struct rewriting rewriting = {
		.insns = insns,
		.len = len,
		.overrides = overrides,
		.overrides_len = overrides_len,
		.bounds = bounds,
		.ranges = ranges,
		.table = table,
		.nodes = nodes,
		.remainders = remainders,
		.result = result,
	};
	int r;

	if (!bounds || !ranges || !table || !nodes || !remainders || !result)
		return -ENOMEM;
	r = rewrite(&rewriting);
	if (r < 0)
		return r;
	len = BPF_MAXINSNS - rewriting.start;
	memcpy(ret_insns, result + rewriting.start, len * sizeof(*result));
	return (int)len;
}
