/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a state.json, as whoever has tampered with the state root may have left it. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "state/state.h"

static char path[] = "/dev/shm/hoy-fuzz.XXXXXX";
static int directory = -1;

static void remove_directory(void)
{
	(void)unlinkat(directory, STATE_FILE, 0);
	(void)rmdir(path);
}

static void open_directory(void)
{
	if (directory >= 0)
		return;
	MUST(mkdtemp(path));
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(directory >= 0);
	atexit(remove_directory);
}

/* What was read is written, and read again: it must be the same. */
static void check_round(const struct state_dir *dir, struct arena *arena,
			struct state_record *record)
{
	struct state_record *again;
	struct hoy_error err = { 0 };

	record->phase = STATE_PHASE_CREATED; /* beside another one, copies would be left */
	MUST(state_write(dir, record, &err) == 0);
	MUST(state_read(dir, arena, &again, &err) == 0);
	MUST(strcmp(record->cgroup, again->cgroup) == 0 && record->pid == again->pid &&
	     record->start_time == again->start_time &&
	     record->host_mounts_len == again->host_mounts_len &&
	     record->annotations_len == again->annotations_len &&
	     record->poststop.len == again->poststop.len &&
	     record->late_writes_len == again->late_writes_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state_dir dir = { .root = -1, .name = "c1" };
	struct state_record *record;
	struct hoy_error err = { 0 };
	struct arena arena = { 0 };
	int file;

	open_directory();
	dir.fd = directory;
	file = openat(directory, STATE_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(file >= 0 && write(file, data, size) == (ssize_t)size && close(file) == 0);
	if (state_read(&dir, &arena, &record, &err) == 0)
		check_round(&dir, &arena, record);
	else
		fuzz_check_error(&err);
	arena_done(&arena);
	return 0;
}
