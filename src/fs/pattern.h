/* The pattern language of file kinds: one path part at a time.
 *
 * A part is literal text with variables: {t} {z} {c} {y} {x} {n} are canonical decimal numbers, {name} a plane's NAME,
 * {view} a view's text. A number behind text of its own part (z{z}) is the one users see; a bare one ({z}, as in zarr
 * chunk paths) counts from 0. Threads: pure. */
#ifndef PLANEFS_FS_PATTERN_H
#define PLANEFS_FS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pfs_var {
    PFS_VAR_T, PFS_VAR_Z, PFS_VAR_C, PFS_VAR_Y, PFS_VAR_X, PFS_VAR_N,   /* numbers */
    PFS_VAR_NAME, PFS_VAR_VIEW,                                        /* texts */
    PFS_N_VARS,
    PFS_LITERAL = PFS_N_VARS
};

enum { PFS_PART_TOKENS = 12, PFS_PATTERN_PARTS = 12 };

struct pfs_token {
    int var;             /* enum pfs_var, or PFS_LITERAL */
    const char *s;       /* literal: its text, lent by the pattern */
    size_t n;
    bool bare;           /* number: nothing stands before it in its part */
};

struct pfs_part {
    const char *s;       /* as written, lent by the pattern */
    size_t n_s;
    int n;
    struct pfs_token token[PFS_PART_TOKENS];
};

struct pfs_span { const char *s; size_t n; };

struct pfs_match {
    int64_t number[PFS_N_VARS];   /* those the part has */
    struct pfs_span text;         /* of {name} or {view}: lent by the name */
    struct pfs_span params;       /* behind '@' in a literal part, without it; n == 0: none */
};

/* A pattern has two forms when it has an optional part "[t{t}/]": with it and without. Fills parts and returns how many
 * there are, -EINVAL for a malformed pattern. *ret_optional: where the optional part stands (or would), -1: none. */
int pfs_pattern_parts(const char *pattern, bool with_optional, struct pfs_part parts[PFS_PATTERN_PARTS],
                      int *ret_optional);

/* Does a name fit the part? Names are compared byte for byte; numbers have no leading zeros and at most 18 digits. */
bool pfs_part_match(const struct pfs_part *part, const char *name, struct pfs_match *ret);

bool pfs_part_has(const struct pfs_part *part, enum pfs_var var);
bool pfs_part_has_place(const struct pfs_part *part);   /* {t} {z} {c} {y} {x} or {name}: numbers that go on and on */
size_t pfs_part_literal(const struct pfs_part *part);   /* bytes of literal text */

/* "of=corrected,a=1": take the key's value out of a parameter list. *ret_rest is malloc'd: the list without it.
 * false: no such key, or no memory; nothing is changed. */
bool pfs_params_take(const char *params, const char *key, char **ret_value, char **ret_rest);

#endif
