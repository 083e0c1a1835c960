/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main() for a fuzz target where there is no fuzzer: runs it on every file below the directories
 * that are given, the seeds and what was once found.
 */
#include <dirent.h>
#include <limits.h>

#include "fuzz.h"

static int count;

static void run(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(path, "re");
	size_t size;

	MUST(file);
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	(void)LLVMFuzzerTestOneInput(data, size);
	count++;
}

static void walk(const char *path)
{
	const struct dirent *entry;
	char below[PATH_MAX];
	DIR *stream = opendir(path);

	if (!stream) {
		run(path);
		return;
	}
	while ((entry = readdir(stream))) {
		if (entry->d_name[0] == '.')
			continue;
		MUST(snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < PATH_MAX);
		walk(below);
	}
	closedir(stream);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		walk(argv[i]);
	MUST(count > 0);
	return 0;
}
