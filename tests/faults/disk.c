/* A disk that is watched and can fail: preloaded into a process (LD_PRELOAD), it stands between the process
 * and the C library for everything below one folder.
 *
 * DISK_ROOT  the folder; other files are left alone.
 * DISK_LOG   where each change is recorded, in the order the process made them (see disk.py for the form).
 *            Without it nothing is recorded.
 *
 * disk_fail(calls, error) lets that many more changes through and then fails every one with `error`, as a full
 * disk (ENOSPC) or a broken one (EIO) does; the first write that fails is a short one. disk_fail(-1, 0) ends it.
 * disk_calls() counts changes so far. Linux, one process; threads take turns.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(result, name, ...)                                        \
    static result (*real_##name)(__VA_ARGS__);                         \
    if (!real_##name)                                                  \
        real_##name = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define DESCRIPTORS 4096

static pthread_mutex_t turn = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char watched[DESCRIPTORS]; /* descriptors of files below the folder, opened for writing or syncing */
static const char *root;
static int log_descriptor = -1;
static long calls;
static long allowed = -1; /* changes still let through; -1: all */
static int failure;
static int cut_short;

__attribute__((constructor)) static void start(void)
{
    REAL(int, open, const char *, int, ...);
    const char *path = getenv("DISK_LOG");
    root = getenv("DISK_ROOT");
    if (root && path && *path) {
        log_descriptor = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log_descriptor < 0)
            abort();
    }
}

void disk_fail(long more, int error)
{
    pthread_mutex_lock(&turn);
    allowed = more;
    failure = error;
    cut_short = 0;
    pthread_mutex_unlock(&turn);
}

long disk_calls(void) { return calls; }

static int below_root(const char *path)
{
    size_t length = root ? strlen(root) : 0;
    return length && !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

static int is_watched(int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS && watched[descriptor];
}

/* Count one change; tell whether it must fail. */
static int must_fail(void)
{
    calls++;
    if (allowed < 0)
        return 0;
    if (allowed > 0) {
        allowed--;
        return 0;
    }
    errno = failure;
    return 1;
}

static void put(const void *data, size_t length)
{
    REAL(ssize_t, write, int, const void *, size_t);
    const char *next = data;
    while (length) {
        ssize_t done = real_write(log_descriptor, next, length);
        if (done < 0)
            abort(); /* a log with holes would prove nothing */
        next += done;
        length -= (size_t)done;
    }
}

/* One record: kind, inode, offset, three lengths, then path, second path and data. */
static void note(char kind, uint64_t inode, uint64_t offset, const char *path, const char *other,
                 const void *data, uint64_t length)
{
    int kept = errno;
    uint64_t numbers[5] = {inode, offset, path ? strlen(path) : 0, other ? strlen(other) : 0, length};
    if (log_descriptor >= 0) {
        put(&kind, 1);
        put(numbers, sizeof numbers);
        put(path, numbers[2]);
        put(other, numbers[3]);
        put(data, length);
    }
    errno = kept;
}

static uint64_t inode_of(int descriptor)
{
    struct stat status;
    if (fstat(descriptor, &status))
        abort();
    return status.st_ino;
}

static int opened(int descriptor, const char *path, int flags, int was_there)
{
    if (descriptor < 0)
        return descriptor;
    if (descriptor >= DESCRIPTORS)
        abort();
    watched[descriptor] = 1;
    if (!was_there)
        note('c', inode_of(descriptor), 0, path, NULL, NULL, 0);
    else if (flags & O_TRUNC)
        note('t', inode_of(descriptor), 0, path, NULL, NULL, 0);
    return descriptor;
}

#define OPEN(name, real_call, ...)                                                               \
    int name(__VA_ARGS__, int flags, ...)                                                        \
    {                                                                                            \
        REAL(int, name, __VA_ARGS__, int, ...);                                                  \
        mode_t mode = 0;                                                                         \
        int result;                                                                              \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                   \
            va_list more;                                                                        \
            va_start(more, flags);                                                               \
            mode = va_arg(more, mode_t);                                                         \
            va_end(more);                                                                        \
        }                                                                                        \
        if (!below_root(path))                                                                   \
            return real_call;                                                                    \
        pthread_mutex_lock(&turn);                                                               \
        int was_there = !(flags & O_CREAT) || access(path, F_OK) == 0;                           \
        if ((!was_there || (flags & O_TRUNC)) && must_fail())                                    \
            result = -1;                                                                         \
        else                                                                                     \
            result = opened(real_call, path, flags, was_there);                                  \
        pthread_mutex_unlock(&turn);                                                             \
        return result;                                                                           \
    }

OPEN(open, real_open(path, flags, mode), const char *path)
OPEN(open64, real_open64(path, flags, mode), const char *path)
OPEN(openat, real_openat(folder, path, flags, mode), int folder, const char *path)
OPEN(openat64, real_openat64(folder, path, flags, mode), int folder, const char *path)

int close(int descriptor)
{
    REAL(int, close, int);
    if (is_watched(descriptor))
        watched[descriptor] = 0;
    return real_close(descriptor);
}

/* Let `call` write; a write that must fail first writes half, as a disk with little room does. */
#define WRITE(call, call_half, where)                                                            \
    if (!is_watched(descriptor))                                                                 \
        return call;                                                                             \
    pthread_mutex_lock(&turn);                                                                   \
    ssize_t done;                                                                                \
    uint64_t at = where;                                                                         \
    if (!must_fail())                                                                            \
        done = call;                                                                             \
    else if (failure == ENOSPC && !cut_short++ && length > 1)                                    \
        done = call_half;                                                                        \
    else                                                                                         \
        done = -1;                                                                               \
    if (done > 0)                                                                                \
        note('w', inode_of(descriptor), at, NULL, NULL, data, (uint64_t)done);                   \
    pthread_mutex_unlock(&turn);                                                                 \
    return done

static uint64_t position(int descriptor)
{
    struct stat status;
    if (fcntl(descriptor, F_GETFL) & O_APPEND)
        return fstat(descriptor, &status) ? 0 : (uint64_t)status.st_size;
    return (uint64_t)lseek(descriptor, 0, SEEK_CUR);
}

ssize_t write(int descriptor, const void *data, size_t length)
{
    REAL(ssize_t, write, int, const void *, size_t);
    WRITE(real_write(descriptor, data, length), real_write(descriptor, data, length / 2), position(descriptor));
}

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset)
{
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    WRITE(real_pwrite(descriptor, data, length, offset), real_pwrite(descriptor, data, length / 2, offset),
          (uint64_t)offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset)
{
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    WRITE(real_pwrite64(descriptor, data, length, offset), real_pwrite64(descriptor, data, length / 2, offset),
          (uint64_t)offset);
}

#define TRUNCATE(name, type)                                                                     \
    int name(int descriptor, type length)                                                        \
    {                                                                                            \
        REAL(int, name, int, type);                                                              \
        if (!is_watched(descriptor))                                                             \
            return real_##name(descriptor, length);                                              \
        pthread_mutex_lock(&turn);                                                               \
        int result = must_fail() ? -1 : real_##name(descriptor, length);                         \
        if (!result)                                                                             \
            note('t', inode_of(descriptor), (uint64_t)length, NULL, NULL, NULL, 0);              \
        pthread_mutex_unlock(&turn);                                                             \
        return result;                                                                           \
    }

TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                                               \
    int name(int descriptor)                                                                     \
    {                                                                                            \
        REAL(int, name, int);                                                                    \
        if (!is_watched(descriptor))                                                             \
            return real_##name(descriptor);                                                      \
        pthread_mutex_lock(&turn);                                                               \
        /* Syncing adds nothing to a full disk; a broken one fails here first of all. */         \
        int fails = failure == ENOSPC ? (calls++, 0) : must_fail();                              \
        int result = fails ? -1 : real_##name(descriptor);                                       \
        if (!result)                                                                             \
            note('s', inode_of(descriptor), 0, NULL, NULL, NULL, 0);                             \
        pthread_mutex_unlock(&turn);                                                             \
        return result;                                                                           \
    }

SYNC(fsync)
SYNC(fdatasync)

/* Changes of names: recorded with both paths. */
#define NAMES(kind, signature, call, first, second)                                              \
    if (!below_root(first))                                                                      \
        return call;                                                                             \
    pthread_mutex_lock(&turn);                                                                   \
    int result = must_fail() ? -1 : call;                                                        \
    if (!result)                                                                                 \
        note(kind, 0, 0, first, second, NULL, 0);                                                \
    pthread_mutex_unlock(&turn);                                                                 \
    return result

int rename(const char *path, const char *to)
{
    REAL(int, rename, const char *, const char *);
    NAMES('r', rename, real_rename(path, to), path, to);
}

int link(const char *path, const char *to)
{
    REAL(int, link, const char *, const char *);
    NAMES('l', link, real_link(path, to), path, to);
}

/* Taking a name away needs no room: it fails on a broken disk only. */
int unlink(const char *path)
{
    REAL(int, unlink, const char *);
    if (failure == ENOSPC) {
        int result = real_unlink(path);
        if (!result && below_root(path))
            note('u', 0, 0, path, NULL, NULL, 0);
        return result;
    }
    NAMES('u', unlink, real_unlink(path), path, NULL);
}

int rmdir(const char *path)
{
    REAL(int, rmdir, const char *);
    NAMES('u', rmdir, real_rmdir(path), path, NULL);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(int, mkdir, const char *, mode_t);
    if (!below_root(path))
        return real_mkdir(path, mode);
    pthread_mutex_lock(&turn);
    int result = must_fail() ? -1 : real_mkdir(path, mode);
    struct stat status;
    if (!result && !stat(path, &status))
        note('d', status.st_ino, 0, path, NULL, NULL, 0);
    pthread_mutex_unlock(&turn);
    return result;
}
