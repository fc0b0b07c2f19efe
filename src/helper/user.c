// passwd(5) and group(5) lookups, and the change of credentials (see user.h). It must not guess: an unknown
// name is an error.

#include "user.h"
#include "mount-api.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

enum { ACCOUNTS_MAX = 1 << 20 };

// The text of an ordinary file, NULL when there is none. It may be an image's: a FIFO would be waited for, a
// device never end, a file of /proc has no size and tells of this process, which is still the machine's root,
// and /proc/self/fd leads to what our caller has open.
static char *read_accounts(const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_NO_MAGICLINKS,
    };
    cleanup_fd int fd = call_openat2(AT_FDCWD, path, &how);
    struct stat status;
    struct statfs file_system;
    if (fd < 0 || fstat(fd, &status) < 0 || fstatfs(fd, &file_system) < 0) return NULL;
    if (!S_ISREG(status.st_mode) || (long)file_system.f_type == PROC_SUPER_MAGIC) return NULL;
    // Not st_size: the file may grow while it is read.
    char *text = xcalloc(ACCOUNTS_MAX + 1, 1);
    size_t length = 0;
    ssize_t got;
    while (length <= ACCOUNTS_MAX &&
           (got = TEMP_FAILURE_RETRY(read(fd, text + length, ACCOUNTS_MAX + 1 - length))) > 0)
        length += (size_t)got;
    if (length <= ACCOUNTS_MAX) return text;
    free(text);
    return NULL;
}

static FILE *open_text(char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);
    return length == 0 ? NULL : fmemopen(text, length, "r");
}

// A decimal number that fills the whole text. (uid_t)-1 means "no change" to setresuid(2) and is refused, as
// are signs, blanks, "0x10" and anything above 32 bits.
static bool parse_id(const char *text, unsigned *out)
{
    unsigned long long value = 0;
    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value >= 0xffffffffULL) return false;
    }
    *out = (unsigned)value;
    return true;
}

static bool looks_numeric(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

// What glibc makes of "-1" and 4294967296 in a file. To setresuid(2) it means "leave it as it is", which is
// root.
static bool is_id(unsigned id)
{
    return id != (unsigned)-1;
}

// The first entry of /etc/passwd with that name, or when name is NULL with that uid. fgetpwent(3) reads the
// file itself: unlike getpwnam(3) it needs no NSS.
static bool read_passwd(const char *name, uid_t uid, User *out)
{
    cleanup_free char *text = read_accounts("/etc/passwd");
    cleanup_file FILE *file = open_text(text);
    if (file == NULL) return false;
    for (const struct passwd *entry; (entry = fgetpwent(file)) != NULL;) {
        if (name != NULL ? strcmp(entry->pw_name, name) != 0 : entry->pw_uid != uid) continue;
        if (!is_id(entry->pw_uid) || !is_id(entry->pw_gid)) continue;
        out->uid = entry->pw_uid;
        out->gid = entry->pw_gid;
        out->name = xstrdup(entry->pw_name);
        out->home = xstrdup(*entry->pw_dir == '\0' ? "/" : entry->pw_dir);
        out->shell = *entry->pw_shell == '\0' ? NULL : xstrdup(entry->pw_shell);
        return true;
    }
    return false;
}

static bool read_group(const char *name, gid_t *out)
{
    cleanup_free char *text = read_accounts("/etc/group");
    cleanup_file FILE *file = open_text(text);
    if (file == NULL) return false;
    for (const struct group *entry; (entry = fgetgrent(file)) != NULL;) {
        if (strcmp(entry->gr_name, name) != 0 || !is_id(entry->gr_gid)) continue;
        *out = entry->gr_gid;
        return true;
    }
    return false;
}

static void add_group(User *user, gid_t gid)
{
    for (size_t i = 0; i < user->group_count; i++) {
        if (user->groups[i] == gid) return;
    }
    user->groups = xreallocarray(user->groups, user->group_count + 1, sizeof *user->groups);
    user->groups[user->group_count++] = gid;
}

static bool has_member(const struct group *entry, const char *name)
{
    for (char **member = entry->gr_mem; *member != NULL; member++) {
        if (strcmp(*member, name) == 0) return true;
    }
    return false;
}

// What initgroups(3) gives: the primary group and every group that lists the user.
static void read_groups_of(User *user)
{
    add_group(user, user->gid);
    cleanup_free char *text = read_accounts("/etc/group");
    cleanup_file FILE *file = open_text(text);
    if (file == NULL) return;
    for (const struct group *entry; (entry = fgetgrent(file)) != NULL;) {
        if (is_id(entry->gr_gid) && has_member(entry, user->name)) add_group(user, entry->gr_gid);
    }
}

bool find_uid(uid_t uid, User *out)
{
    *out = (User){0};
    return read_passwd(NULL, uid, out);
}

// A number is a number, whatever names the file has (it may be an image's): "1000" must not become root.
static void find_name(const char *name, bool has_group, User *out)
{
    unsigned uid;
    if (!parse_id(name, &uid)) {
        if (!looks_numeric(name) && read_passwd(name, 0, out)) return;
        const char *hint =
            looks_numeric(name)
                ? "a uid is a number from 0 to 4294967294"
                : "see /etc/passwd, or give a number; users of LDAP and the like are not looked up";
        die(EXIT_USAGE, "USAGE", hint, "there is no user %s", quoted(name));
    }
    if (find_uid(uid, out)) return;
    // A uid that nobody has belongs to no group, least of all to root's: the group must be said.
    if (!has_group) {
        die(EXIT_USAGE, "USAGE", "say the group too, as in --user 1234:1234",
            "uid %u has no entry in /etc/passwd", uid);
    }
    *out = (User){.uid = uid, .name = xstrdup(name), .home = xstrdup("/")};
}

void find_user(const char *text, User *out)
{
    cleanup_free char *name = xstrdup(text);
    char *group = strchr(name, ':');
    if (group != NULL) *group++ = '\0';
    if (*name == '\0' || (group != NULL && *group == '\0')) {
        die(EXIT_USAGE, "USAGE", NULL, "--user wants USER or USER:GROUP, not %s", quoted(text));
    }
    *out = (User){0};
    find_name(name, group != NULL, out);
    if (group == NULL) {
        read_groups_of(out);
        return;
    }
    unsigned gid;
    if (parse_id(group, &gid)) {
        out->gid = gid;
    } else if (looks_numeric(group) || !read_group(group, &out->gid)) {
        die(EXIT_USAGE, "USAGE", "see /etc/group, or give a number", "there is no group %s", quoted(group));
    }
    add_group(out, out->gid);
}

void become_user(const User *user)
{
    // Groups first: after setresuid there is no right left to change them.
    if (setgroups(user->group_count, user->groups) < 0) die_errno("set the groups of user %s", user->name);
    if (setresgid(user->gid, user->gid, user->gid) < 0) die_errno("become group %u", user->gid);
    if (setresuid(user->uid, user->uid, user->uid) < 0) die_errno("become user %s", user->name);
    if (setenv("HOME", user->home, 1) < 0 || setenv("USER", user->name, 1) < 0 ||
        setenv("LOGNAME", user->name, 1) < 0) {
        die_errno("set HOME");
    }
}
