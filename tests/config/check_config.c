/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads configurations and prints all that is said about them, "FILE:LINE:COLUMN: AT: MESSAGE"
 * each, warnings with "warning: " before the message. Exits 1 if there was a problem. For the tests
 * of this directory.
 *
 * Usage: check-config [--strict] [--process | --resources] [--repeat N] FILE...
 *        check-config --fields
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "config/config.h"
#include "config/table.h"

struct output {
	const char *file_name;
	bool quiet;
};

enum document {
	DOCUMENT_CONFIG,
	DOCUMENT_PROCESS,
	DOCUMENT_RESOURCES,
};

static void print_entry(const struct hoy_log_entry *entry, void *data)
{
	const struct output *output = data;
	char text[2048];
	struct hoy_error err = { .code = entry->code };

	if (output->quiet)
		return;
	(void)snprintf(err.at, sizeof(err.at), "%s", entry->at);
	(void)snprintf(err.text, sizeof(err.text), "%s%s",
		       entry->is_problem ? "" : "warning: ", entry->message);
	(void)hoy_error_format(&err, text, sizeof(text));
	printf("%s:%u:%u: %s\n", output->file_name, entry->line, entry->column, text);
}

static int read_document(const char *file_name, enum document document,
			 const struct config_report *report)
{
	struct config_resources *resources;
	struct config_process *process;
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	struct config *config;
	int fd = open(file_name, O_RDONLY | O_CLOEXEC);
	int result;

	if (fd < 0) {
		perror(file_name);
		exit(2);
	}
	if (document == DOCUMENT_PROCESS)
		result = config_read_process(fd, file_name, &arena, report, &process, &err);
	else if (document == DOCUMENT_RESOURCES)
		result = config_read_resources(fd, file_name, &arena, report, &resources, &err);
	else
		result = config_read(fd, file_name, &arena, report, &config, &err);
	close(fd);
	arena_done(&arena);
	return result;
}

/** One line a field: its path and whether it is applied by hoy or ignored. */
static void print_fields(const struct object *object, const char *path)
{
	for (size_t i = 0; i < object->len; i++) {
		const struct field *field = &object->fields[i];
		char child[512];

		(void)snprintf(child, sizeof(child), "%s%s%s%s", path, *path ? "." : "",
			       field->name,
			       field->type == FIELD_OBJECT_LIST	 ? "[]"
			       : field->type == FIELD_OBJECT_MAP ? "{}"
								 : "");
		printf("%s%s\n", child, field->type == FIELD_IGNORED ? " ignored" : "");
		if (field->object)
			print_fields(field->object, child);
	}
}

/** Prints the mean time of one reading. */
static void measure(const char *file_name, enum document document, unsigned int repeat)
{
	struct output output = { .quiet = true };
	struct config_report report = { .log = print_entry, .log_data = &output };
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned int i = 0; i < repeat; i++)
		(void)read_document(file_name, document, &report);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.3f ms\n", ((double)(end.tv_sec - start.tv_sec) * 1e3 +
			     (double)(end.tv_nsec - start.tv_nsec) / 1e6) /
				    repeat);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "strict", no_argument, NULL, 's' },	 { "process", no_argument, NULL, 'p' },
		{ "resources", no_argument, NULL, 'r' }, { "repeat", required_argument, NULL, 'n' },
		{ "fields", no_argument, NULL, 'f' },	 { NULL, 0, NULL, 0 },
	};
	enum document document = DOCUMENT_CONFIG;
	struct output output = { 0 };
	struct config_report report = { .log = print_entry, .log_data = &output };
	unsigned int repeat = 0;
	int option, status = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			report.strict = true;
		else if (option == 'p')
			document = DOCUMENT_PROCESS;
		else if (option == 'r')
			document = DOCUMENT_RESOURCES;
		else if (option == 'n')
			repeat = (unsigned int)atoi(optarg);
		else if (option == 'f')
			print_fields(&config_table, "");
		else
			return 2;
	}
	for (; optind < argc; optind++) {
		output.file_name = argv[optind];
		if (repeat > 0)
			measure(argv[optind], document, repeat);
		else if (read_document(argv[optind], document, &report) < 0)
			status = 1;
	}
	return status;
}
