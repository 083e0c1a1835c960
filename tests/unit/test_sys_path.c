/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/path.c: every test has a root and, beside it, a canary directory that must stay empty
 * whatever symlinks and racing processes in the root point at it.
 */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <pthread.h>

#include "sys/cleanup.h"
#include "sys/fd.h"
#include "sys/path.h"

#define RACE_MS 300

/* The directories of one test; `outside` is the canary. */
struct tree {
	int root, outside;
};

static struct tree make_tree(struct unit *unit)
{
	struct tree tree;

	assert_int_equal(mkdirat(unit->dirfd, "root", 0755), 0);
	assert_int_equal(mkdirat(unit->dirfd, "outside", 0755), 0);
	tree.root = openat(unit->dirfd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	tree.outside = openat(unit->dirfd, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(tree.root >= 0 && tree.outside >= 0);
	return tree;
}

static void assert_empty(int dirfd)
{
	DIR *dir = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			print_error("made outside: %s\n", entry->d_name);
		assert_true(entry->d_name[0] == '.');
	}
	closedir(dir);
}

static void close_tree(struct tree *tree)
{
	assert_empty(tree->outside);
	close(tree->root);
	close(tree->outside);
}

static void make_dir(int dirfd, const char *path)
{
	assert_int_equal(mkdirat(dirfd, path, 0755), 0);
}

static void make_file(int dirfd, const char *path)
{
	assert_int_equal(mknodat(dirfd, path, S_IFREG | 0644, 0), 0);
}

static void make_link(int dirfd, const char *path, const char *target)
{
	assert_int_equal(symlinkat(target, dirfd, path), 0);
}

/* The descriptor is of that path (itself, not what it points to) and is closed. */
static void assert_opened(int fd, int dirfd, const char *path)
{
	autoclose int expected = openat(dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		print_error("%s: %s\n", path, strerror(-fd));
	assert_true(fd >= 0);
	assert_true(expected >= 0);
	assert_true(fd_same_inode(fd, expected));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void assert_mode(int dirfd, const char *path, mode_t mode)
{
	struct stat stat;

	assert_int_equal(fstatat(dirfd, path, &stat, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(stat.st_mode, mode);
}

static void assert_absent(int dirfd, const char *path)
{
	struct stat stat;

	assert_int_equal(fstatat(dirfd, path, &stat, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(errno, ENOENT);
}

static void paths_resolve_below_the_root(void **state)
{
	struct tree tree = make_tree(*state);

	make_dir(tree.root, "a");
	make_dir(tree.root, "a/b");
	make_file(tree.root, "a/b/file");
	make_link(tree.root, "a/absolute", "/a/b");
	make_link(tree.root, "a/b/up", "../../../../../a");
	assert_opened(path_open(tree.root, "/a/b/file", O_PATH), tree.root, "a/b/file");
	assert_opened(path_open(tree.root, "a//b/./file", O_RDONLY), tree.root, "a/b/file");
	assert_opened(path_open(tree.root, "///a/../../../a/b", O_PATH), tree.root, "a/b");
	assert_opened(path_open(tree.root, "/a/absolute/file", O_RDONLY), tree.root, "a/b/file");
	assert_opened(path_open(tree.root, "/a/b/up/b/file", O_RDONLY), tree.root, "a/b/file");
	assert_opened(path_open(tree.root, "/a/absolute/..", O_PATH), tree.root, "a");
	assert_opened(path_open(tree.root, "/", O_PATH), tree.root, ".");
	assert_opened(path_open(tree.root, "..", O_PATH), tree.root, ".");
	assert_opened(path_open(tree.root, "", O_PATH), tree.root, ".");
	assert_int_equal(path_open(tree.root, "/missing", O_PATH), -ENOENT);
	assert_int_equal(path_open(tree.root, "/a/b/file/x", O_PATH), -ENOTDIR);
	assert_int_equal(path_open(-1, "/a", O_PATH), -EBADF);
	close_tree(&tree);
}

static void a_final_symlink_is_refused_if_asked(void **state)
{
	struct tree tree = make_tree(*state);

	make_dir(tree.root, "dir");
	make_file(tree.root, "dir/file");
	make_link(tree.root, "dir/link", "file");
	make_link(tree.root, "linked", "dir");
	assert_int_equal(path_open(tree.root, "dir/link", O_RDONLY | O_NOFOLLOW), -ELOOP);
	assert_opened(path_open(tree.root, "linked/file", O_RDONLY | O_NOFOLLOW), tree.root,
		      "dir/file");
	assert_opened(path_open(tree.root, "dir/link", O_PATH | O_NOFOLLOW), tree.root, "dir/link");
	close_tree(&tree);
}

static void every_symlink_is_refused_if_asked(void **state)
{
	struct tree tree = make_tree(*state);

	make_dir(tree.root, "dir");
	make_dir(tree.root, "dir/sub");
	make_link(tree.root, "linked", "dir");
	make_link(tree.root, "dir/self", ".");
	make_link(tree.root, "dangling", "nowhere");
	assert_opened(path_open_strict(tree.root, "/dir/../dir/sub", O_PATH), tree.root, "dir/sub");
	assert_int_equal(path_open_strict(tree.root, "/linked/sub", O_PATH), -ELOOP);
	assert_int_equal(path_open_strict(tree.root, "/dir/self/sub", O_PATH), -ELOOP);
	assert_int_equal(path_open_strict(tree.root, "/dir/self", O_PATH), -ELOOP);
	assert_int_equal(path_open_strict(tree.root, "/dangling", O_RDONLY), -ELOOP);
	assert_int_equal(path_open_strict(tree.root, "/linked", O_PATH | O_NOFOLLOW | O_DIRECTORY),
			 -ENOTDIR);
	assert_int_equal(path_open_strict(tree.root, "/missing", O_PATH), -ENOENT);
	close_tree(&tree);
}

static void magic_links_are_refused(void **state)
{
	autoclose int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[64];

	(void)state;
	assert_int_equal(path_open(top, "/proc/self/root/etc", O_PATH), -ELOOP);
	assert_int_equal(path_open(top, "/proc/self/cwd", O_PATH), -ELOOP);
	assert_int_equal(path_open(top, "/proc/self/exe", O_RDONLY), -ELOOP);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/made", top);
	assert_int_equal(path_create(top, path, O_WRONLY, 0644), -ELOOP);
	assert_int_equal(path_make_dir(top, path, 0755, NULL), -ELOOP);
	assert_int_equal(path_make_target(top, path, false), -ELOOP);
	assert_int_equal(path_make_target(top, path, true), -ELOOP);
}

static void create_makes_a_new_file_only(void **state)
{
	struct tree tree = make_tree(*state);
	int fd;

	make_dir(tree.root, "dir");
	make_link(tree.root, "linked", "/dir");
	fd = path_create(tree.root, "/linked/file", O_WRONLY, 0640);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_opened(fd, tree.root, "dir/file");
	assert_mode(tree.root, "dir/file", S_IFREG | 0640);
	assert_int_equal(path_create(tree.root, "/dir/file", O_WRONLY, 0640), -EEXIST);
	make_link(tree.root, "dangling", "/dir/new");
	assert_int_equal(path_create(tree.root, "/dangling", O_WRONLY, 0640), -EEXIST);
	assert_absent(tree.root, "dir/new");
	assert_int_equal(path_create(tree.root, "/missing/file", O_WRONLY, 0640), -ENOENT);
	close_tree(&tree);
}

static void make_dir_makes_what_is_missing(void **state)
{
	struct tree tree = make_tree(*state);
	unsigned int made = 7;

	assert_opened(path_make_dir(tree.root, "/a/b/c", 0750, &made), tree.root, "a/b/c");
	assert_int_equal(made, 3);
	assert_mode(tree.root, "a", S_IFDIR | 0750);
	assert_mode(tree.root, "a/b/c", S_IFDIR | 0750);
	assert_opened(path_make_dir(tree.root, "a//b/./c/", 0700, &made), tree.root, "a/b/c");
	assert_int_equal(made, 0);
	assert_mode(tree.root, "a/b/c", S_IFDIR | 0750);
	assert_opened(path_make_dir(tree.root, "//a/./x//y/", 0755, &made), tree.root, "a/x/y");
	assert_int_equal(made, 2);
	assert_opened(path_make_dir(tree.root, "/", 0755, &made), tree.root, ".");
	assert_opened(path_make_dir(tree.root, "", 0755, &made), tree.root, ".");
	assert_int_equal(made, 0);
	assert_opened(path_make_dir(tree.root, "/n", 0755, NULL), tree.root, "n");
	close_tree(&tree);
}

static void make_dir_follows_the_kernel_for_dot_dot(void **state)
{
	struct tree tree = make_tree(*state);
	unsigned int made;

	make_dir(tree.root, "a");
	make_dir(tree.root, "a/b");
	make_link(tree.root, "link", "a/b");
	assert_opened(path_make_dir(tree.root, "/link/../new", 0755, &made), tree.root, "a/new");
	assert_int_equal(made, 1);
	assert_opened(path_make_dir(tree.root, "/x/../y/z", 0755, &made), tree.root, "y/z");
	assert_int_equal(made, 3);
	assert_mode(tree.root, "x", S_IFDIR | 0755);
	assert_opened(path_make_dir(tree.root, "../../../q/../../../q/r", 0755, &made), tree.root,
		      "q/r");
	assert_int_equal(made, 2);
	assert_opened(path_make_dir(tree.root, "s/./../s/t", 0755, &made), tree.root, "s/t");
	assert_int_equal(made, 2);
	close_tree(&tree);
}

static void make_dir_follows_symlinks_below_the_root(void **state)
{
	struct tree tree = make_tree(*state);
	unsigned int made;

	make_dir(tree.root, "run");
	make_dir(tree.root, "var");
	make_link(tree.root, "var/run", "/run");
	make_link(tree.root, "escape", "../../../run");
	assert_opened(path_make_dir(tree.root, "/var/run/lock", 0755, &made), tree.root,
		      "run/lock");
	assert_int_equal(made, 1);
	assert_opened(path_make_dir(tree.root, "/escape/user/0", 0755, &made), tree.root,
		      "run/user/0");
	assert_int_equal(made, 2);
	close_tree(&tree);
}

static void make_dir_refuses_what_is_no_directory(void **state)
{
	struct tree tree = make_tree(*state);
	unsigned int made = 7;

	make_file(tree.root, "file");
	assert_int_equal(mkfifoat(tree.root, "fifo", 0644), 0);
	assert_int_equal(path_make_dir(tree.root, "/file", 0755, &made), -ENOTDIR);
	assert_int_equal(path_make_dir(tree.root, "/file/x", 0755, &made), -ENOTDIR);
	assert_int_equal(path_make_dir(tree.root, "/fifo", 0755, &made), -ENOTDIR);
	assert_int_equal(path_make_dir(tree.root, "/fifo/x/y", 0755, &made), -ENOTDIR);
	assert_int_equal(path_make_dir(tree.root, "/new/../file/x", 0755, &made), -ENOTDIR);
	assert_int_equal(path_make_dir(-1, "/x", 0755, &made), -EBADF);
	assert_int_equal(made, 7);
	close_tree(&tree);
}

static void long_names_are_refused(void **state)
{
	struct tree tree = make_tree(*state);
	char path[PATH_MAX + 16], name[NAME_MAX + 1] = "kept";

	memset(path, 'n', sizeof(path));
	path[NAME_MAX + 1] = '\0';
	assert_int_equal(path_make_dir(tree.root, path, 0755, NULL), -ENAMETOOLONG);
	assert_int_equal(path_open_parent(tree.root, path, false, name), -ENAMETOOLONG);
	assert_int_equal(path_make_target(tree.root, path, false), -ENAMETOOLONG);
	path[NAME_MAX] = '\0';
	assert_opened(path_make_dir(tree.root, path, 0755, NULL), tree.root, path);
	assert_int_equal(path_open_parent(tree.root, "/", false, name), -EINVAL);
	for (size_t i = 0; i < sizeof(path); i += 2)
		memcpy(path + i, "./", 2);
	strcpy(path + sizeof(path) - 4, "d/e");
	assert_int_equal(path_open(tree.root, path, O_PATH), -ENAMETOOLONG);
	assert_int_equal(path_make_dir(tree.root, path, 0755, NULL), -ENAMETOOLONG);
	assert_int_equal(path_open_parent(tree.root, path, true, name), -ENAMETOOLONG);
	assert_absent(tree.root, "d");
	assert_string_equal(name, "kept");
	strcpy(path + PATH_MAX - 4, "d/e");
	assert_opened(path_make_dir(tree.root, path, 0755, NULL), tree.root, "d/e");
	close_tree(&tree);
}

static void make_target_makes_a_file_or_directory(void **state)
{
	struct tree tree = make_tree(*state);
	int fd;

	fd = path_make_target(tree.root, "/etc/app/config", false);
	assert_true(fcntl(fd, F_GETFL) & O_PATH);
	assert_opened(fd, tree.root, "etc/app/config");
	assert_mode(tree.root, "etc/app/config", S_IFREG | 0644);
	assert_mode(tree.root, "etc/app", S_IFDIR | 0755);
	fd = path_make_target(tree.root, "/srv/data", true);
	assert_true(fcntl(fd, F_GETFL) & O_PATH);
	assert_opened(fd, tree.root, "srv/data");
	assert_mode(tree.root, "srv/data", S_IFDIR | 0755);
	assert_opened(path_make_target(tree.root, "/etc/app/config", false), tree.root,
		      "etc/app/config");
	assert_int_equal(path_make_target(tree.root, "/etc/app/config", true), -ENOTDIR);
	assert_int_equal(path_make_target(tree.root, "/etc/app/config/x", false), -ENOTDIR);
	assert_opened(path_make_target(tree.root, "/srv", false), tree.root, "srv");
	assert_opened(path_make_target(tree.root, "/", true), tree.root, ".");
	assert_opened(path_make_target(tree.root, "new/", false), tree.root, "new");
	assert_int_equal(path_make_target(tree.root, "missing/..", false), -EINVAL);
	close_tree(&tree);
}

static void make_target_opens_anything_that_exists(void **state)
{
	struct tree tree = make_tree(*state);

	assert_int_equal(mkfifoat(tree.root, "fifo", 0600), 0);
	make_link(tree.root, "link", "/fifo");
	assert_opened(path_make_target(tree.root, "/fifo", false), tree.root, "fifo");
	assert_opened(path_make_target(tree.root, "/link", false), tree.root, "fifo");
	close_tree(&tree);
}

static void the_parent_and_the_last_name_are_split(void **state)
{
	struct tree tree = make_tree(*state);
	char name[NAME_MAX + 1] = "kept";

	make_dir(tree.root, "a");
	make_link(tree.root, "link", "/a");
	assert_opened(path_open_parent(tree.root, "/a/b", false, name), tree.root, "a");
	assert_string_equal(name, "b");
	assert_opened(path_open_parent(tree.root, "/link//c//", false, name), tree.root, "a");
	assert_string_equal(name, "c");
	assert_opened(path_open_parent(tree.root, "d", false, name), tree.root, ".");
	assert_string_equal(name, "d");
	assert_opened(path_open_parent(tree.root, "/x/y/z", true, name), tree.root, "x/y");
	assert_string_equal(name, "z");
	assert_absent(tree.root, "x/y/z");
	assert_int_equal(path_open_parent(tree.root, "/m/n", false, name), -ENOENT);
	assert_int_equal(path_open_parent(tree.root, "/", false, name), -EINVAL);
	assert_int_equal(path_open_parent(tree.root, "", true, name), -EINVAL);
	assert_int_equal(path_open_parent(tree.root, "/a/..", true, name), -EINVAL);
	assert_int_equal(path_open_parent(tree.root, "/a/./", true, name), -EINVAL);
	assert_string_equal(name, "z");
	close_tree(&tree);
}

/* A symlink that leads nowhere: nothing is made through it, or beside it, or beyond the root. */
static void assert_nothing_made_through(struct tree *tree, const char *link, int expected)
{
	static const char *const behind[] = { "", "/x", "/x/y", "/../x/y", "/./x" };
	unsigned int made = 7;
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		snprintf(path, sizeof(path), "/%s%s", link, behind[i]);
		assert_int_equal(path_make_dir(tree->root, path, 0755, &made), expected);
		assert_int_equal(path_make_target(tree->root, path, true), expected);
		assert_int_equal(path_make_target(tree->root, path, false), expected);
		if (behind[i][0])
			assert_int_equal(path_create(tree->root, path, O_WRONLY, 0644), expected);
	}
	assert_int_equal(path_create(tree->root, link, O_WRONLY, 0644), -EEXIST);
	assert_int_equal(made, 7);
	assert_absent(tree->root, "x");
	assert_empty(tree->outside);
}

static void hostile_symlinks_are_never_made_through(void **state)
{
	struct unit *unit = *state;
	struct tree tree = make_tree(unit);
	char outside[128];

	snprintf(outside, sizeof(outside), "%s/outside", unit->path);
	make_link(tree.root, "absolute", outside);
	make_link(tree.root, "relative", "../outside");
	make_link(tree.root, "far", "../../../../../../../../../../tmp");
	make_link(tree.root, "dangling", "nowhere");
	make_link(tree.root, "deep", "no/where/at/all");
	make_link(tree.root, "chain", "dangling");
	make_link(tree.root, "magic", "/proc/self/root");
	make_link(tree.root, "loop", "loop");
	make_link(tree.root, "ping", "pong");
	make_link(tree.root, "pong", "ping");
	assert_nothing_made_through(&tree, "absolute", -ENOENT);
	assert_nothing_made_through(&tree, "relative", -ENOENT);
	assert_nothing_made_through(&tree, "far", -ENOENT);
	assert_nothing_made_through(&tree, "dangling", -ENOENT);
	assert_nothing_made_through(&tree, "deep", -ENOENT);
	assert_nothing_made_through(&tree, "chain", -ENOENT);
	assert_nothing_made_through(&tree, "magic", -ENOENT);
	assert_nothing_made_through(&tree, "loop", -ELOOP);
	assert_nothing_made_through(&tree, "ping", -ELOOP);
	assert_absent(tree.root, "nowhere");
	assert_absent(tree.root, "no");
	assert_absent(tree.root, "tmp");
	assert_absent(tree.root, "outside");
	close_tree(&tree);
}

/* Exchanges two names of a directory as fast as it can until it is told to end. */
struct racer {
	pthread_t thread;
	int dirfd;
	const char *a, *b;
	unsigned int flags;
	int stop;
};

static void *race(void *argument)
{
	struct racer *racer = argument;

	while (!__atomic_load_n(&racer->stop, __ATOMIC_RELAXED)) {
		renameat2(racer->dirfd, racer->a, racer->dirfd, racer->b, racer->flags);
		renameat2(racer->dirfd, racer->b, racer->dirfd, racer->a, racer->flags);
	}
	return NULL;
}

static void start_race(struct racer *racer)
{
	racer->stop = 0;
	assert_int_equal(pthread_create(&racer->thread, NULL, race, racer), 0);
}

static void stop_race(struct racer *racer)
{
	__atomic_store_n(&racer->stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(racer->thread, NULL), 0);
}

static void assert_inside(int fd)
{
	char link[64], target[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	assert_true(len > 0);
	target[len] = '\0';
	assert_non_null(strstr(target, "/root"));
	assert_null(strstr(target, "/outside"));
}

/* Tries everything once below the name that the racer turns from directory to symlink. */
static void try_all(struct tree *tree, unsigned int round)
{
	char path[64], name[NAME_MAX + 1];
	int fds[5];

	snprintf(path, sizeof(path), "/shared/dir/sub%u/x", round % 64);
	fds[0] = path_make_dir(tree->root, path, 0755, NULL);
	snprintf(path, sizeof(path), "/shared/dir/t%u/file", round % 64);
	fds[1] = path_make_target(tree->root, path, false);
	snprintf(path, sizeof(path), "/shared/dir/f%u", round);
	fds[2] = path_create(tree->root, path, O_WRONLY, 0644);
	fds[3] = path_open_parent(tree->root, path, true, name);
	fds[4] = path_open(tree->root, path, O_PATH);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] < 0)
			continue;
		assert_inside(fds[i]);
		close(fds[i]);
	}
}

static void a_directory_raced_with_a_symlink_stays_inside(void **state)
{
	struct unit *unit = *state;
	struct tree tree = make_tree(unit);
	autoclose int shared = -1;
	struct racer racer = { .a = "dir", .b = "evil", .flags = RENAME_EXCHANGE };
	int64_t end_ms = clock_ms() + RACE_MS;
	char outside[128];

	make_dir(tree.root, "shared");
	make_dir(tree.root, "shared/dir");
	snprintf(outside, sizeof(outside), "%s/outside", unit->path);
	make_link(tree.root, "shared/evil", outside);
	shared = openat(tree.root, "shared", O_PATH | O_CLOEXEC);
	racer.dirfd = shared;
	start_race(&racer);
	for (unsigned int round = 0; clock_ms() < end_ms; round++)
		try_all(&tree, round);
	stop_race(&racer);
	assert_empty(tree.outside);
	assert_int_equal(unlinkat(shared, "evil", 0), 0);
	make_link(tree.root, "shared/evil", "../../outside");
	end_ms = clock_ms() + RACE_MS;
	start_race(&racer);
	for (unsigned int round = 0; clock_ms() < end_ms; round++)
		try_all(&tree, round);
	stop_race(&racer);
	close_tree(&tree);
}

/* Takes away what was made at `name`, or what the racer has put there. */
static void clear_name(int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) < 0)
		unlinkat(dirfd, name, AT_REMOVEDIR);
}

static void race_for_what_was_just_made(struct tree *tree, const char *outside, bool directory)
{
	struct racer racer = {
		.dirfd = tree->root, .a = "new", .b = "evil", .flags = RENAME_EXCHANGE
	};
	int64_t end_ms = clock_ms() + RACE_MS;
	struct stat stat;

	start_race(&racer);
	while (clock_ms() < end_ms) {
		int fd;

		clear_name(tree->root, "new");
		clear_name(tree->root, "evil");
		(void)!symlinkat(outside, tree->root, "evil");
		fd = path_make_target(tree->root, "/new", directory);
		if (fd < 0)
			continue;
		assert_inside(fd);
		assert_int_equal(fstat(fd, &stat), 0);
		assert_int_equal(stat.st_mode & S_IFMT, directory ? S_IFDIR : S_IFREG);
		close(fd);
	}
	stop_race(&racer);
	clear_name(tree->root, "new");
	clear_name(tree->root, "evil");
}

static void what_was_just_made_is_not_opened_through_a_symlink(void **state)
{
	struct unit *unit = *state;
	struct tree tree = make_tree(unit);
	char outside[128];

	snprintf(outside, sizeof(outside), "%s/outside", unit->path);
	race_for_what_was_just_made(&tree, outside, true);
	/* For the file a file, which its type does not give away. */
	make_file(unit->dirfd, "secret");
	snprintf(outside, sizeof(outside), "%s/secret", unit->path);
	race_for_what_was_just_made(&tree, outside, false);
	close_tree(&tree);
}

static void dot_dot_beside_a_rename_ends_soon(void **state)
{
	struct tree tree = make_tree(*state);
	struct racer racer = { .dirfd = tree.root, .a = "x", .b = "y" };
	int64_t end_ms = clock_ms() + RACE_MS;
	unsigned int opened = 0, again = 0;
	char path[1024] = "";

	/* Long, so that a rename falls into nearly every first try. */
	while (strlen(path) < 600)
		strcat(path, "a/b/../../");
	make_dir(tree.root, "x");
	make_dir(tree.root, "a");
	make_dir(tree.root, "a/b");
	start_race(&racer);
	while (clock_ms() < end_ms) {
		int fd = path_open(tree.root, path, O_PATH);

		assert_true(fd >= 0 || fd == -EAGAIN);
		opened += fd >= 0;
		again += fd == -EAGAIN;
		cleanup_close(&fd);
	}
	stop_race(&racer);
	assert_true(opened > 0);
	/* Measured: one in three gives up at its bound; without another try all but one in 60. */
	assert_in_range(again, 0, opened * 8);
	close_tree(&tree);
}

struct maker {
	pthread_t thread;
	pthread_barrier_t *start;
	int root;
	int fd;
	bool directory;
	unsigned int round;
};

static void *make_raced(void *argument)
{
	struct maker *maker = argument;
	char path[64];

	snprintf(path, sizeof(path), "/r%u/a/b/c/d", maker->round);
	pthread_barrier_wait(maker->start);
	maker->fd = path_make_target(maker->root, path, maker->directory);
	return NULL;
}

static void two_who_make_the_same_both_succeed(void **state)
{
	struct tree tree = make_tree(*state);
	struct maker makers[2];
	pthread_barrier_t start;

	assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
	for (unsigned int round = 0; round < 200; round++) {
		for (size_t i = 0; i < 2; i++) {
			makers[i] = (struct maker){ .start = &start,
						    .root = tree.root,
						    .directory = round % 2,
						    .round = round };
			assert_int_equal(
				pthread_create(&makers[i].thread, NULL, make_raced, &makers[i]), 0);
		}
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(pthread_join(makers[i].thread, NULL), 0);
		assert_true(makers[0].fd >= 0);
		assert_true(makers[1].fd >= 0);
		assert_true(fd_same_inode(makers[0].fd, makers[1].fd));
		close(makers[0].fd);
		close(makers[1].fd);
	}
	pthread_barrier_destroy(&start);
	close_tree(&tree);
}

static void paths_are_cleaned_as_text(void **state)
{
	static const struct {
		const char *path, *clean;
	} cases[] = {
		{ "", "/" },
		{ "/", "/" },
		{ "////", "/" },
		{ ".", "/" },
		{ "..", "/" },
		{ "/..", "/" },
		{ "/../..", "/" },
		{ "a", "/a" },
		{ "/a/", "/a" },
		{ "/a//b", "/a/b" },
		{ "/a/./b/.", "/a/b" },
		{ "/a/..", "/" },
		{ "/a/../b", "/b" },
		{ "../a", "/a" },
		{ "/a/b/../../../c", "/c" },
		{ "/a/b/../c/./d/..", "/a/c" },
		{ "/...", "/..." },
		{ "/..a/.b", "/..a/.b" },
		{ "a/../../b/..", "/" },
	};
	char buffer[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].clean);

		assert_int_equal(path_clean(cases[i].path, buffer, sizeof(buffer)), len);
		assert_string_equal(buffer, cases[i].clean);
		assert_int_equal(path_clean(cases[i].path, buffer, len + 1), len);
		assert_string_equal(buffer, cases[i].clean);
		assert_int_equal(path_clean(cases[i].path, buffer, len), -ENAMETOOLONG);
		assert_int_equal(path_clean(cases[i].path, buffer, 0), -ENAMETOOLONG);
		assert_int_equal(path_is_root(cases[i].path), len == 1);
	}
}

/* The same from the start to the end with a stack, as one would write it down. */
static void clean_simply(const char *path, char *buffer)
{
	char copy[64], *rest = copy;
	const char *stack[64], *name;
	size_t depth = 0;

	strcpy(copy, path);
	while ((name = strsep(&rest, "/"))) {
		if (strcmp(name, "..") == 0)
			depth -= depth > 0;
		else if (strcmp(name, ".") != 0 && *name)
			stack[depth++] = name;
	}
	strcpy(buffer, depth > 0 ? "" : "/");
	for (size_t i = 0; i < depth; i++) {
		strcat(buffer, "/");
		strcat(buffer, stack[i]);
	}
}

static void every_short_path_is_cleaned_alike(void **state)
{
	char path[16], expected[64], buffer[64];

	(void)state;
	/* All words of up to 10 of these letters. */
	for (size_t len = 0; len <= 10; len++) {
		size_t words = 1;

		for (size_t i = 0; i < len; i++)
			words *= 3;
		for (size_t word = 0; word < words; word++) {
			size_t letters = word;

			for (size_t i = 0; i < len; i++, letters /= 3)
				path[i] = "./a"[letters % 3];
			path[len] = '\0';
			clean_simply(path, expected);
			assert_int_equal(path_clean(path, buffer, sizeof(buffer)),
					 strlen(expected));
			assert_string_equal(buffer, expected);
			assert_int_equal(path_is_root(path), strcmp(expected, "/") == 0);
		}
	}
}

static void the_file_system_is_told(void **state)
{
	autoclose int proc = open("/proc", O_PATH | O_CLOEXEC);

	(void)state;
	assert_int_equal(path_fs_type(proc), PROC_SUPER_MAGIC);
	assert_int_equal(path_fs_type(-1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(paths_resolve_below_the_root),
		UNIT_TEST(a_final_symlink_is_refused_if_asked),
		UNIT_TEST(every_symlink_is_refused_if_asked),
		UNIT_TEST(magic_links_are_refused),
		UNIT_TEST(create_makes_a_new_file_only),
		UNIT_TEST(make_dir_makes_what_is_missing),
		UNIT_TEST(make_dir_follows_the_kernel_for_dot_dot),
		UNIT_TEST(make_dir_follows_symlinks_below_the_root),
		UNIT_TEST(make_dir_refuses_what_is_no_directory),
		UNIT_TEST(long_names_are_refused),
		UNIT_TEST(make_target_makes_a_file_or_directory),
		UNIT_TEST(make_target_opens_anything_that_exists),
		UNIT_TEST(the_parent_and_the_last_name_are_split),
		UNIT_TEST(hostile_symlinks_are_never_made_through),
		UNIT_TEST(a_directory_raced_with_a_symlink_stays_inside),
		UNIT_TEST(what_was_just_made_is_not_opened_through_a_symlink),
		UNIT_TEST(dot_dot_beside_a_rename_ends_soon),
		UNIT_TEST(two_who_make_the_same_both_succeed),
		UNIT_TEST(paths_are_cleaned_as_text),
		UNIT_TEST(every_short_path_is_cleaned_alike),
		UNIT_TEST(the_file_system_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
