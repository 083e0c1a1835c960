/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership. A variable marked autoclose or autofree owns what it holds and gives it up only by
 * take_fd() or take_ptr(). Safe in the runtime and, but for autofree, in init.
 */
#ifndef HOY_SYS_CLEANUP_H
#define HOY_SYS_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

#define autoclose __attribute__((cleanup(cleanup_close)))
#define autofree  __attribute__((cleanup(cleanup_free)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(pointer)                                  \
	({                                                 \
		__typeof__(pointer) _from = &(*(pointer)); \
		__typeof__(*(pointer)) _taken = *_from;    \
		*_from = NULL;                             \
		_taken;                                    \
	})

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
